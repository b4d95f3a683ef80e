"""The proximal image ``f* = argmin_f N L_f(f; theta_G) + |f - F|^2 / (2 tau)``, and what the task asks of it.

Differentiated implicitly: ``dL_t/dtheta_G = -N d<s(f*; theta_G), q>/dtheta_G`` with ``(N H + 1 / tau) q = dL_t/df*``.
The gradient term's L1 norm is smoothed, sqrt(x^2 + epsilon^2), for its second derivative.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from benchmarks.signals.algebra import conjugate_gradients, task_gradient
from metaloss import FusionBatch, LearnableFusionLoss, MetaLearner
from metaloss.losses import sobel

EPSILON = 0.05


def proximal_wishes(
    learner: MetaLearner, image: Tensor, batch: FusionBatch, tau: float, steps: int = 4, iterations: int = 10
) -> tuple[Tensor, Tensor]:
    """Finds f* by Newton steps with conjugate gradients, and q.

    Args:
        learner: its loss is a :class:`metaloss.LearnableFusionLoss` with ``gradient="per_axis"``.
        image: F, (B, 1, H, W).
        batch: of the image.
        tau: how far the image may go.
        steps: of Newton.
        iterations: of conjugate gradients in each; twice as many for q.

    Returns:
        f* and ``-q``, where the task wants it to go, as far as the loss can move it.
    """
    loss = learner.loss
    assert isinstance(loss, LearnableFusionLoss)
    with torch.no_grad():
        weights = loss.propose(batch.sources)["intensity"]

    def slope(f: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        leaf = f.detach().requires_grad_()
        with torch.enable_grad():
            total = _smoothed(leaf, batch.sources, weights, loss.alpha)
            (gradient,) = torch.autograd.grad(total, leaf, create_graph=True)

        def hessian(v: Tensor) -> Tensor:
            return torch.autograd.grad(gradient, leaf, v, retain_graph=True)[0] + v / tau

        return gradient.detach(), hessian

    found = image.clone()
    for _ in range(steps):
        gradient, hessian = slope(found)
        found = found - _solved(hessian, gradient + (found - image) / tau, iterations)
    wish = task_gradient(learner, found, batch)
    return found, -_solved(slope(found)[1], wish, 2 * iterations)


def _solved(hessian: Callable[[Tensor], Tensor], right: Tensor, iterations: int) -> Tensor:
    return conjugate_gradients(lambda v: {"f": hessian(v["f"])}, {"f": right}, iterations)["f"]


def _smoothed(f: Tensor, sources: Sequence[Tensor], weights: Tensor, alpha: float) -> Tensor:
    """N L_f with a smoothed L1 norm."""
    parts = zip(weights.split(1, dim=1), sources, strict=True)
    total = torch.stack([(weight * (f - source).square()).sum() for weight, source in parts]).sum()
    for axis, mine in enumerate(sobel(f)):
        theirs = torch.stack([sobel(source)[axis] for source in sources])
        strongest = theirs.gather(0, theirs.abs().argmax(0, keepdim=True))[0]
        total = total + alpha * ((mine - strongest).square() + EPSILON**2).sqrt().sum()
    return total
