"""Inner updates to compare by what they let the loss hear: those of the library, and others that were tried."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from torch import Tensor
from torch.func import functional_call, jvp, vjp

from benchmarks.signals.algebra import Tensors, conjugate_gradients, dot, task_gradient
from benchmarks.signals.proximal import proximal_wishes
from benchmarks.signals.states import State
from metaloss import FusionBatch, MetaLearner
from metaloss.hypergradient.functional import cloned_buffers, trainable
from metaloss.training.signal_map import SignalMap, image_of, map_from, map_of

Update = Callable[[State, FusionBatch, FusionBatch], SignalMap]


def _library(state: State, meta_train: FusionBatch, meta_test: FusionBatch, **settings: str) -> SignalMap:
    """An inner update of the library."""
    base = state.learner
    learner = MetaLearner(
        fusion=base.fusion,
        loss=base.loss,
        task=base.task,
        inner_lr=1e-4,
        fusion_optimizer=base.optimizer("fusion"),
        task_optimizer=base.optimizer("task"),
        **settings,  # type: ignore[arg-type]
    )
    return map_of(learner, meta_train, meta_test)


def _one_batch(state: State, meta_train: FusionBatch, meta_test: FusionBatch) -> SignalMap:
    """The network's update with one batch for both."""
    return _library(state, meta_train, meta_train)


def _level(state: State, meta_train: FusionBatch, meta_test: FusionBatch) -> SignalMap:
    """The network's update without the mean of each image's wishes."""
    found = _library(state, meta_train, meta_test)
    wishes = found.wishes - found.wishes.mean((-2, -1), keepdim=True)
    return map_from(state.learner, found.batch, image_of(state.learner, found.batch), wishes)


def _proximal(state: State, meta_train: FusionBatch, meta_test: FusionBatch, tau: float) -> SignalMap:
    """The image that follows the loss as far as a proximal term lets it, differentiated implicitly."""
    image = image_of(state.learner, meta_test)
    image, wishes = proximal_wishes(state.learner, image, meta_test, tau)
    return map_from(state.learner, meta_test, image, wishes)


@dataclass
class _Jacobian:
    """F's Jacobian on one batch, at F's present weights and in its present mode."""

    learner: MetaLearner
    batch: FusionBatch

    def __post_init__(self) -> None:
        self.params = {name: tensor.detach() for name, tensor in trainable(self.learner.fusion).items()}

    def fused(self, params: Tensors) -> Tensor:
        buffers = cloned_buffers(self.learner.fusion)  # batch norm changes them, and may not from outside a transform
        image: Tensor = functional_call(self.learner.fusion, {**buffers, **params}, self.batch.sources)
        return image

    def times(self, tangents: Tensors) -> Tensor:
        return jvp(self.fused, (self.params,), (tangents,))[1].detach()

    def transposed(self, cotangent: Tensor) -> Tensors:
        _, back = vjp(self.fused, self.params)
        return {name: tensor.detach() for name, tensor in back(cotangent)[0].items()}


def _gauss_newton(
    state: State, meta_train: FusionBatch, meta_test: FusionBatch, damping: float, iterations: int = 10
) -> SignalMap:
    """``u = J (J^T J + lambda)^-1 J_test^T g``, by conjugate gradients; lambda in units of the largest eigenvalue."""
    learner = state.learner
    train, test = _Jacobian(learner, meta_train), _Jacobian(learner, meta_test)
    wish = task_gradient(learner, image_of(learner, meta_test), meta_test)
    start = test.transposed(wish)
    largest, size = start, math.sqrt(dot(start, start))
    for _ in range(3):  # power iteration
        largest = train.transposed(train.times({name: value / size for name, value in largest.items()}))
        size = math.sqrt(dot(largest, largest))

    def damped(tangents: Tensors) -> Tensors:
        product = train.transposed(train.times(tangents))
        return {name: product[name] + damping * size * tangents[name] for name in product}

    u = train.times(conjugate_gradients(damped, start, iterations))
    return map_from(learner, meta_train, image_of(learner, meta_train), -u)


UPDATES: dict[str, Update] = {
    "one SGD step on theta_F (Eq. 4)": _library,
    "preconditioned by Adam's moments": partial(_library, inner_rule="adam", inner_state="optimizer"),
    "SGD, one batch for both": _one_batch,
    "SGD, without the mean of u": _level,
    **{
        f"Gauss-Newton, 10 iterations, damping {damping:g}": partial(_gauss_newton, damping=damping)
        for damping in (1e-1, 1e-2, 1e-3, 1e-4)
    },
    "in image space": partial(_library, inner_update="image"),
    **{f"proximal image, tau {tau:g}": partial(_proximal, tau=tau) for tau in (0.1, 1.0)},
}
"""By name."""
