"""The meta-gradient of an inner update in image space: the task's wish for the image reaches the loss whole.

An inner update of F's parameters passes that wish from batch to batch through F's tangent kernel, of which little but
"brighter" and "darker" is left. Here the fused image itself follows the loss, as the image of a fusion network would
that can follow it anywhere (N: the elements of the image, so that the rate counts per pixel):

    f^0 = F(meta-test sources),    f^(k+1) = f^k - eta N dL_f(f^k; theta_G)/df,    outer loss L_t(T', f^K).

No derivative of F is taken.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from metaloss.batch import FusionBatch
from metaloss.hypergradient.calls import fuse
from metaloss.hypergradient.execution import Execution
from metaloss.hypergradient.fast_weights import FastWeights
from metaloss.hypergradient.functional import clones, gradients, leaves
from metaloss.hypergradient.loss_derivatives import image_gradient
from metaloss.hypergradient.operators import check_twice_differentiable, second_derivative
from metaloss.hypergradient.problem import MetaGradient, MetaProblem
from metaloss.hypergradient.random_state import RandomState
from metaloss.hypergradient.unroll import fast_weights, update_task
from metaloss.runtime.processes import averaged, averaged_where_present
from metaloss.tasks.base import targets_of, task_loss


@dataclass(frozen=True)
class ImageUpdate:
    """Computes the meta-gradient of K inner updates in image space, exactly.

    Attributes:
        lr: eta, per pixel; ``None`` for the limit of small ones, in which the task judges f itself, K is 1, and the
            gradient is divided by eta.
    """

    lr: float | None = None

    def __call__(self, problem: MetaProblem, meta_train: FusionBatch, meta_test: FusionBatch) -> MetaGradient:
        """Computes ``dL_t(T', f^K) / dtheta_G`` on the meta-test batch.

        Random numbers are drawn in the order F on the meta-train batch, T, F on the meta-test batch, L_f, T'.

        Args:
            problem: its rule for F is not used; T' is K updates of T (Eq. 5) on images held fixed.
            meta_train: the batch of T's inner updates, which is all that it serves.
            meta_test: the batch of the image's updates and of the outer loss.

        Returns:
            The meta-gradient; its ``inner_loss`` is L_f at f^0.

        Raises:
            MissingDerivativeError: an operator of L_f can be differentiated once only.
        """
        fusion, task, loss = fast_weights(problem)
        execution, batch = problem.execution, replace(meta_train, fusion_view=None)
        fused = _image(fusion, batch, execution)
        task_losses = [update_task(problem, task, fusion, fused, batch) for _ in range(problem.steps)]
        path = _Path(loss, _image(fusion, meta_test, execution), meta_test.sources, execution)
        for _ in range(1 if self.lr is None else problem.steps):
            path.follow(self.lr)
        outer_loss, cotangent = _wish(task, path.image, meta_test, execution)
        found = path.back(cotangent, self.lr)
        means = averaged({"inner": path.losses[0], "outer": outer_loss})
        gradient = averaged_where_present(found, loss.params)
        return MetaGradient(gradient, means["inner"], task_losses[0], means["outer"])


def _image(fusion: FastWeights, batch: FusionBatch, execution: Execution) -> Tensor:
    """F's image in the task's view, detached."""
    with torch.no_grad(), fusion.swapped(fusion.params) as network:
        return fuse(network, batch.sources, execution).detach()


def _wish(task: FastWeights, image: Tensor, batch: FusionBatch, execution: Execution) -> tuple[Tensor, Tensor]:
    """L_t(T', f) and its gradient by f: where the task would like the image to go, with the other sign."""
    leaf = image.detach().requires_grad_()
    with torch.enable_grad(), task.swapped(task.params) as module:
        total = task_loss(module, leaf, targets_of(module, batch), execution.run)
        wish = gradients(total, {"image": leaf}, scale=execution.scale)
    return total.detach(), wish.get("image", torch.zeros_like(leaf))


class _Path:
    """The image on its way along the loss, with enough to go back.

    The graph of the last step is kept for the way back, and those before it are computed again.

    Attributes:
        image: f^k.
        losses: L_f at each image before.
    """

    def __init__(self, loss: FastWeights, image: Tensor, sources: tuple[Tensor, ...], execution: Execution) -> None:
        self.loss, self.image, self.sources, self.execution = loss, image, sources, execution
        self.losses: list[Tensor] = []
        self.starts: list[tuple[Tensor, dict[str, Tensor], RandomState]] = []
        self.kept: tuple[dict[str, Tensor], Tensor, Tensor] | None = None

    def follow(self, lr: float | None) -> None:
        """Takes one step; without a rate the image stays."""
        self.starts.append((self.image, clones(self.loss.buffers), RandomState.now(self.loss.generators)))
        params, image = leaves(self.loss.params), self.image.detach().requires_grad_()
        with second_derivative(), torch.enable_grad(), self.loss.swapped(params) as module:
            total, s = image_gradient(module, image, self.sources, self.execution, create_graph=True)
        self.kept = params, image, s
        self.losses.append(total)
        if lr is not None:
            self.image = (self.image - lr * s.numel() * s).detach()

    def back(self, cotangent: Tensor, lr: float | None) -> dict[str, Tensor]:
        """Takes the gradient of the outer loss by theta_G from its gradient by the last image."""
        rate = self.image.numel() * (1 if lr is None else lr)
        found: dict[str, Tensor] = {}
        for number in reversed(range(len(self.starts))):
            params, image, s = self._graph(number)
            inputs = [*params.values(), *([image] if number else [])]
            values: list[Tensor | None] = [None] * len(inputs)
            product = (s * cotangent).sum()
            check_twice_differentiable([s])
            if inputs and product.requires_grad:
                with second_derivative():
                    values = list(torch.autograd.grad(product, inputs, allow_unused=True))
            for name, value in zip(params, values, strict=False):
                if value is not None:
                    found[name] = found[name] - rate * value if name in found else -rate * value
            if number and values[-1] is not None:
                cotangent = cotangent - rate * values[-1]
        return found

    def _graph(self, number: int) -> tuple[dict[str, Tensor], Tensor, Tensor]:
        """The parameters, the image and s = dL_f/df of one step, in the graph that leads from them to it."""
        if self.kept is not None:
            kept, self.kept = self.kept, None
            return kept
        image, buffers, random = self.starts[number]
        params, image = leaves(self.loss.params), image.detach().requires_grad_()
        with second_derivative(), torch.enable_grad(), self.loss.replayed(params, buffers, random) as module:
            _, s = image_gradient(module, image, self.sources, self.execution, create_graph=True)
        return params, image, s
