"""What one meta step asks of the fusion loss, pixel by pixel.

Whatever the inner update is, the meta-gradient by theta_G is that of one inner product,

    dL_t/dtheta_G = -rate d<s(f; theta_G), u> / dtheta_G ,       s = dL_f/df ,

with a map u of the image's shape: in image space the task's own gradient by the image, through F's parameters that
gradient as F's tangent kernel has passed it on. ``-u`` says where each pixel should go; the product's derivative by the
weights says which source it should come from. (With K > 1 updates there are K such products: u is then the sum of their
maps, and f the first image.)
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from metaloss.batch import FusionBatch
from metaloss.data.exchange import own_order
from metaloss.errors import ConfigError, MetaGradientError
from metaloss.hypergradient.calls import fuse, fusion_terms
from metaloss.hypergradient.functional import leaves
from metaloss.hypergradient.image_update import ImageUpdate
from metaloss.hypergradient.operators import check_twice_differentiable, second_derivative
from metaloss.hypergradient.unroll import fast_weights
from metaloss.training.trained import Trained


class SignalMap(NamedTuple):
    """What one meta step asks for.

    Attributes:
        batch: the batch whose images are meant: that on which the fusion loss is taken.
        fused: f, F's image of it, (B, C, H, W).
        wishes: -u, where each pixel of the fused image should go, up to a positive factor, (B, C, H, W).
        asked: how much more weight each source should get, above the mean of all sources and in units of the map's mean
            size, (B, n, H, W), of the sources in their own order.
        gradient: the meta-gradient by theta_G as one vector, up to a positive factor.
    """

    batch: FusionBatch
    fused: Tensor
    wishes: Tensor
    asked: Tensor
    gradient: Tensor


def map_of(learner: Trained, meta_train: FusionBatch, meta_test: FusionBatch) -> SignalMap:
    """Takes the map of the learner's own inner update; nothing changes.

    A term ``mean(e f)`` with e = 0 is added to the loss: its meta-gradient by e is u, by every method alike.

    Args:
        learner: of any inner update and any hypergradient method, but for a weighted sum.
        meta_train: without a view of its own for the fusion loss.
        meta_test: likewise.

    Raises:
        MetaGradientError: what comes out is not finite.
        ConfigError: as :func:`map_from`.
    """
    batch = meta_test if isinstance(learner.method, ImageUpdate) else meta_train
    image, problem = image_of(learner, batch), learner.problem
    found = learner.method(replace(problem, loss=_Probed(learner.loss, image)), meta_train, meta_test)
    return map_from(learner, batch, image, found.gradients.get("probe", torch.zeros_like(image)))


def image_of(learner: Trained, batch: FusionBatch) -> Tensor:
    """F's image of a batch, in the mode that F is in, (B, C, H, W), detached; F's buffers stay as they are."""
    fusion, _, _ = fast_weights(learner.problem)
    with torch.no_grad(), fusion.swapped(fusion.params) as network:
        return fuse(network, batch.sources, learner.problem.execution).detach()


def map_from(learner: Trained, batch: FusionBatch, image: Tensor, wishes: Tensor) -> SignalMap:
    """Makes the map of given wishes.

    Args:
        learner: with the loss.
        batch: of the image.
        image: f, (B, C, H, W).
        wishes: -u, of the same shape.

    Raises:
        MetaGradientError: what comes out is not finite.
        ConfigError: the loss does not return the weights that it uses.
    """
    execution, (_, _, loss) = learner.problem.execution, fast_weights(learner.problem)
    params, leaf = leaves(loss.params), image.detach().requires_grad_()
    with second_derivative(), torch.enable_grad(), loss.swapped(params) as module:
        terms = fusion_terms(module, leaf, batch.sources, execution, derivatives=2)
        (s,) = torch.autograd.grad(terms.total, leaf, create_graph=True)
        check_twice_differentiable([s])
        product, inputs = (s * wishes).sum(), [*params.values()]
        own = [terms.weights] if terms.weights.requires_grad else []
        by_weights, *found = torch.autograd.grad(product, [*own, *inputs], allow_unused=True) if own else [None]
    if by_weights is None:
        raise ConfigError(
            f"signal: the weights that {type(learner.loss).__name__} returns are not those that its total is made of: "
            "return the tensor itself"
        )
    gradient = torch.cat([value.flatten() for value in found if value is not None])
    asked = by_weights.mean(1, keepdim=True) - by_weights  # against the gradient, and above the mean of the sources
    asked = own_order(asked / asked.abs().mean(), batch.order)
    if not bool(wishes.isfinite().all() and gradient.isfinite().all() and asked.isfinite().all()):
        raise MetaGradientError(
            "signal: what the task asks for is zero or not finite at these weights: look at its loss"
        )
    return SignalMap(batch, image, wishes, asked, gradient)


class _Probed(nn.Module):
    """A fusion loss with the term ``mean(e f)``; e is zero."""

    def __init__(self, loss: nn.Module, image: Tensor) -> None:
        super().__init__()
        self.loss, self.probe = loss, nn.Parameter(torch.zeros_like(image))
        self.training = loss.training

    def forward(self, fused: Tensor, sources: tuple[Tensor, ...]) -> Any:
        terms = self.loss(fused, sources)
        return _Terms(terms.total + (self.probe * fused).mean(), terms.intensity, terms.gradient, terms.weights)


class _Terms(NamedTuple):
    total: Tensor
    intensity: Tensor
    gradient: Tensor
    weights: Tensor
