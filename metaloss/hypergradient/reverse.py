"""The exact meta-gradient by double backward: the way of the papers' code, for any operator with second derivatives.

The inner steps' graphs are kept until the walk back reaches them, so memory grows with K. Each
step's graph is differentiated while its weights are in place.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from metaloss.batch import FusionBatch
from metaloss.hypergradient.functional import gradients, is_float, largest, leaves
from metaloss.hypergradient.network import Network, fuse
from metaloss.hypergradient.operators import check_twice_differentiable, second_derivative
from metaloss.hypergradient.problem import MetaGradient, MetaProblem
from metaloss.hypergradient.unroll import outer_gradient, update_task
from metaloss.processes import averaged, averaged_where_present, world_size


def reverse(problem: MetaProblem, meta_train: FusionBatch, meta_test: FusionBatch) -> MetaGradient:
    """Computes Eq. 7 exactly, by differentiating the inner updates' own backward pass.

    Args:
        problem: F, L_f, T, and the inner rules.
        meta_train: the batch of the inner updates.
        meta_test: the batch of the outer loss.

    Returns:
        The meta-gradient.

    Raises:
        MissingDerivativeError: an operator of F or L_f has no second derivative.
    """
    with torch.enable_grad():
        return _Unrolled(problem, meta_train, meta_test).run()


class _Unrolled:
    def __init__(self, problem: MetaProblem, meta_train: FusionBatch, meta_test: FusionBatch) -> None:
        self.problem, self.meta_train, self.meta_test = problem, meta_train, meta_test
        self.fusion = Network.of(problem.fusion, problem.fusion_state)
        self.task = Network.of(problem.task, problem.task_state)
        self.loss = Network.of(problem.loss)
        self.generator = leaves(self.loss.params)
        self.total: dict[str, Tensor] = {}
        self.losses: list[tuple[Tensor, Tensor]] = []
        self.outer_loss = torch.zeros(())

    def run(self) -> MetaGradient:
        self._descend(0)
        total = averaged_where_present(self.total, self.generator)
        return MetaGradient(total, *self.losses[0], self.outer_loss)

    def _descend(self, number: int) -> list[Tensor | None]:
        """Runs step ``number`` and all that follow; returns the cotangents of its parameters and rule state."""
        if number == self.problem.steps:
            # fusion.params are the fast weights F' by now
            self.outer_loss, cotangent = outer_gradient(self.fusion, self.task, self.meta_test, self.problem.execution)
            return list(cotangent.values())
        execution = self.problem.execution
        params = leaves(self.fusion.params)
        flat, rebuild = pytree.tree_flatten(self.fusion.state)
        state = [item.detach().requires_grad_() if is_float(item) else item for item in flat]

        def body(network: nn.Module) -> list[Tensor | None]:
            fused = fuse(network, self.meta_train.loss_view, execution, derivatives=2)
            return self.loss.run(self.generator, lambda loss: through(fused, loss))  # type: ignore[no-any-return]

        def through(fused: Tensor, loss: nn.Module) -> list[Tensor | None]:
            total = execution.run(loss, fused, self.meta_train.loss_view, derivatives=2, autocast=False).total
            grads = gradients(total, params, create_graph=True, scale=execution.scale)
            check_twice_differentiable(grads.values())
            means = averaged({**grads, "": total})
            if world_size() > 1:
                # the means' values, with the derivatives of this process: those are averaged when they are taken
                grads = {name: grad + (means[name] - grad).detach() for name, grad in grads.items()}
            task_loss = update_task(self.problem, self.task, self.fusion, fused.detach(), self.meta_train)
            self.losses.append((means[""].detach(), task_loss))
            updated, after = self.problem.fusion_rule(params, grads, pytree.tree_unflatten(state, rebuild))
            self.fusion.params = {name: tensor.detach() for name, tensor in updated.items()}
            self.fusion.state = pytree.tree_map(lambda item: item.detach() if isinstance(item, Tensor) else item, after)
            cotangents = self._descend(number + 1)
            return self._pull([*updated.values(), *pytree.tree_leaves(after)], cotangents, [*params.values(), *state])

        return self.fusion.run(params, body)  # type: ignore[no-any-return]

    def _pull(self, outputs: list[Any], cotangents: list[Tensor | None], inputs: list[Any]) -> list[Tensor | None]:
        pairs = [
            (output, cotangent)
            for output, cotangent in zip(outputs, cotangents, strict=False)
            if cotangent is not None and output.requires_grad
        ]
        moving = [item for item in inputs if is_float(item)]
        size = largest([cotangent for _, cotangent in pairs]) if self.problem.execution.scale != 1 else 1.0
        with second_derivative():
            pulled = torch.autograd.grad(
                [output for output, _ in pairs],
                [*moving, *self.generator.values()],
                [cotangent / size for _, cotangent in pairs],
                allow_unused=True,
            )
        for name, value in zip(self.generator, pulled[len(moving) :], strict=True):
            if value is not None:
                self.total[name] = self.total[name] + size * value if name in self.total else size * value
        by_inputs = [
            torch.zeros_like(item) if value is None else size * value
            for item, value in zip(moving, pulled, strict=False)
        ]
        values = iter(averaged({str(place): value for place, value in enumerate(by_inputs)}).values())
        return [next(values) if is_float(item) else None for item in inputs]
