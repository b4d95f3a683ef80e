"""Hypergradient methods check themselves, at next to no cost.

An inner step knows g = J_F^T s from its backward pass, and a method gives u = J_F nu by other means; with s and
nu at hand,

    <s, u> = <s, J_F nu> = <J_F^T s, nu> = <g, nu>

has to hold. Where it does not, the method's derivative is not that of the gradient that trains F: an operator
drops tangents, a hook changes gradients, random numbers were not drawn again, a backward pass leaves autograd.
"""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from metaloss.hypergradient.adjoint import InnerProducts
from metaloss.hypergradient.causes import custom_functions, explain
from metaloss.hypergradient.functional import inner_product, norm
from metaloss.hypergradient.inner_step import InnerStep
from metaloss.hypergradient.loss_derivatives import loss_products
from metaloss.hypergradient.operators import WrongDerivativeError
from metaloss.hypergradient.problem import MetaProblem
from metaloss.hypergradient.unroll import Trajectory
from metaloss.hypergradient.vjp import vjp
from metaloss.runtime.processes import largest_of_all

# relative to |s||u| + |g||nu|; what right derivatives were measured to reach lies 5 to 200 times lower
_TOLERANCE = {torch.float64: 1e-7, torch.float32: 2e-5}
_HALF = {torch.bfloat16: 1e-2, torch.float16: 2e-3}
_DIFFERENCES = {torch.float64: 1e-6, torch.float32: 5e-3}


def is_due(number: int | None) -> bool:
    """Whether a meta step checks itself: the first, the second, the fourth ..., and every thousandth.

    What is wrong with a network is wrong from its first step on; later checks are for what training changes: a
    schedule inside the network, layers that are unfrozen, images of another kind.

    Args:
        number: how many meta steps came before; ``None`` for a single call, which always checks itself.
    """
    return number is None or number & (number - 1) == 0 or number % 1000 == 0


class SelfCheck:
    """Compares what a method gives at each inner step with the gradient that the step took.

    Args:
        method: its name.
        problem: the meta problem; its ``number`` says whether a check is due.
        trajectory: the inner steps.
        view: the sources that F fused there.
    """

    def __init__(self, method: str, problem: MetaProblem, trajectory: Trajectory, view: tuple[Tensor, ...]) -> None:
        self.method, self.trajectory, self.view = method, trajectory, view
        self.due, self.first = is_due(problem.number), problem.number == 0
        self.execution = problem.execution
        self.exact = replace(problem.execution, precision=None)

    def step(self, step: InnerStep, nu: dict[str, Tensor], products: InnerProducts) -> None:
        """Checks <s, u> = <g, nu>, of which everything is there already.

        Raises:
            WrongDerivativeError: it does not hold.
        """
        if self.due:
            gap = adjoint_gap(products.image_gradient, products.tangent, step.own_grads, nu)
            self._judge(gap, step, self._tolerance(step, self.execution.precision))

    def cotangent(self, step: InnerStep, nu: dict[str, Tensor], tangent: Tensor, products: InnerProducts) -> None:
        """Checks <c, u> = <J_F^T c, nu> for one cotangent more, by a forward and backward pass in full precision.

        Args:
            step: the inner step.
            nu: the direction.
            tangent: u, in full precision.
            products: what else the method gave.

        Raises:
            WrongDerivativeError: it does not hold.
        """
        c = mixed_cotangent(tangent)
        gap = adjoint_gap(c, tangent, vjp(self.trajectory.fusion, step, step.params, self.view, c, self.exact), nu)
        self._judge(gap, step, self._tolerance(step, None))
        self.hessian(step, nu, products)

    def hessian(self, step: InnerStep, nu: dict[str, Tensor], products: InnerProducts) -> None:
        """Compares H nu with differences where F holds a custom ``autograd.Function``.

        Its backward pass may hold factors that are constants to autograd: the first derivative is right then, and
        the second is not.

        Raises:
            WrongDerivativeError: they differ by far more than differences among themselves.
        """
        if products.hvp is None or not self._custom_functions(step):
            return
        fusion, s = self.trajectory.fusion, products.image_gradient
        loss = loss_products(self.trajectory.loss, step, self.view, products.tangent, self.execution, hvp=True)
        through_loss = vjp(fusion, step, step.params, self.view, loss.hvp, self.exact)
        found = [products.hvp[name] - through_loss[name] for name in nu]
        eps = max(torch.finfo(tensor.dtype).eps for tensor in step.params.values())
        size = eps ** (1 / 3) / norm(nu.values()).clamp_min(torch.finfo(torch.float32).tiny)
        near, far = (self._difference(step, nu, s, size * factor) for factor in (1, 2))
        scale = norm(found) + norm(near)
        gap = norm([a - b for a, b in zip(found, near, strict=True)]) / scale
        noise = norm([a - b for a, b in zip(near, far, strict=True)]) / scale
        tolerance = 1e-4 if eps < 1e-10 else 0.05
        self._judge(torch.where(gap > 10 * noise, gap, torch.zeros_like(gap)), step, tolerance, second=True)

    def _difference(self, step: InnerStep, nu: dict[str, Tensor], s: Tensor, size: Tensor) -> list[Tensor]:
        above, below = (
            vjp(
                self.trajectory.fusion,
                step,
                {name: value + sign * size.to(value.device) * nu[name] for name, value in step.params.items()},
                self.view,
                s,
                self.exact,
            )
            for sign in (1, -1)
        )
        return [(above[name] - below[name]) / (2 * size.to(above[name].device)) for name in nu]

    def _custom_functions(self, step: InnerStep) -> list[str]:
        return custom_functions(self.trajectory.fusion, step, self.view, self.exact)

    def _tolerance(self, step: InnerStep, precision: torch.dtype | None) -> float:
        if self.method == "finite_difference":
            table = _DIFFERENCES
        elif precision is not None:
            return _HALF[precision]
        else:
            table = _TOLERANCE
        dtypes = {tensor.real.dtype for tensor in (*step.params.values(), step.fused)}
        return max(table.get(dtype, _HALF.get(dtype, 0.0)) for dtype in dtypes)

    def _judge(self, gap: Tensor, step: InnerStep, tolerance: float, *, second: bool = False) -> None:
        value = float(largest_of_all(gap))
        if value <= tolerance:
            return
        if second or self.method == "reverse":
            names = ", ".join(self._custom_functions(step)) or "a part of it"
            cause = f"the backward pass of {names} leaves autograd, or holds constants that depend on its input"
        else:
            differences = self.method == "finite_difference"
            cause = explain(self.trajectory.fusion, step, self.view, self.exact, differences=differences)
        raise WrongDerivativeError(self.method, type(self.trajectory.fusion.module).__name__, value, cause)


def adjoint_gap(c: Tensor, tangent: Tensor, gradient: dict[str, Tensor], nu: dict[str, Tensor]) -> Tensor:
    """Measures how far <c, u> and <J_F^T c, nu> are apart.

    Args:
        c: a cotangent of the fused image.
        tangent: u = J_F nu.
        gradient: J_F^T c, by name.
        nu: the direction, by name.

    Returns:
        |<c, u> - <J_F^T c, nu>| / (|c||u| + |J_F^T c||nu|), 0-d: about eps for a right derivative, up to 1 for a
        wrong one, and 1 where u alone is not finite. 0 where there is nothing to compare.
    """
    gradients = [gradient[name] for name in nu]
    by_image = norm([c]) * norm([tangent])
    by_params = (norm(gradients) * norm(nu.values())).to(by_image)
    difference = inner_product([c], [tangent]) - inner_product(gradients, nu.values()).to(by_image)
    scale = by_image + by_params
    gap = torch.where(scale > 0, difference.abs() / scale, torch.zeros_like(scale))
    wrong = by_params.isfinite() & norm([c]).isfinite() & ~norm([tangent]).isfinite()
    return torch.where(gap.isfinite(), gap, wrong.to(gap))


def mixed_cotangent(tangent: Tensor) -> Tensor:
    """Draws a cotangent: u itself, and as much of random patches and of noise; the global generators stay.

    Noise alone is nearly orthogonal to any fault in an image of many pixels.
    """
    generator = torch.Generator().manual_seed(tangent.numel())
    patches = tuple(-(-side // 8) for side in tangent.shape[-2:])
    coarse = torch.randn(*tangent.shape[:2], *patches, generator=generator)
    fine = torch.randn(tangent.shape, generator=generator)
    parts = [tangent.detach(), F.interpolate(coarse, size=tangent.shape[-2:]), fine]
    parts = [part.to(tangent) / norm([part]).to(tangent).clamp_min(torch.finfo(torch.float32).tiny) for part in parts]
    return torch.stack(parts).sum(0)
