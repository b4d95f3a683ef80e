"""The learnable fusion loss of TDFusion (Eq. 1-3): a pure function and a thin Module."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any, Literal, NamedTuple, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from metaloss.batch import check_sources
from metaloss.errors import ConfigError, ShapeError

Intensity = Literal["weighted", "squared_weight"]
Gradient = Literal["per_axis", "magnitude", "learned"]
Weights = Literal["learned", "uniform"]


class FusionLossTerms(NamedTuple):
    """What a fusion loss returns.

    Attributes:
        total: the loss, 0-d: ``intensity + alpha * gradient`` (Eq. 1).
        intensity: Eq. 2, 0-d.
        gradient: Eq. 3, 0-d.
        weights: the intensity term's weights (B, n, H, W), which sum to 1 over the sources.
    """

    total: Tensor
    intensity: Tensor
    gradient: Tensor
    weights: Tensor


def sobel(image: Tensor) -> tuple[Tensor, Tensor]:
    """Horizontal and vertical Sobel derivatives, kernel -1 0 1 / -2 0 2 / -1 0 1, zero-padded, unnormalised.

    Args:
        image: of shape (B, C, H, W).

    Returns:
        Two tensors of the same shape.
    """
    kernel = image.new_tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]])
    pair = torch.stack([kernel, kernel.T]).unsqueeze(1)
    derivatives = F.conv2d(image.flatten(0, 1).unsqueeze(1), pair, padding=1)
    return derivatives[:, 0].view_as(image), derivatives[:, 1].view_as(image)


def intensity_term(fused: Tensor, sources: Sequence[Tensor], weights: Tensor, form: Intensity = "weighted") -> Tensor:
    """Eq. 2: the mean over pixels of ``sum_k w_k (f - I_k)^2``.

    Args:
        fused: f, of shape (B, C, H, W).
        sources: n tensors I_k of the same shape.
        weights: of shape (B, n, H, W).
        form: ``"weighted"`` as in the paper, or ``"squared_weight"``, ``(w_k (f - I_k))^2``, as in
            the published code.

    Returns:
        0-d.
    """
    total = fused.new_zeros(())
    for weight, source in zip(weights.split(1, dim=1), sources, strict=True):
        difference = fused - source
        squared = weight * difference.square() if form == "weighted" else (weight * difference).square()
        total = total + squared.mean()
    return total


def gradient_term(
    fused: Tensor, sources: Sequence[Tensor], weights: Tensor | None = None, form: Gradient = "per_axis"
) -> Tensor:
    """Eq. 3: the mean over pixels of ``|grad f - max_k grad I_k|``.

    Args:
        fused: f, of shape (B, C, H, W).
        sources: n tensors I_k of the same shape.
        weights: of shape (B, n, H, W), for ``"learned"`` only.
        form: ``"per_axis"``: both Sobel derivatives apart, at each pixel the source's of larger
            magnitude with its sign, L1 on both, summed; ``"magnitude"``: of ``|gx| + |gy|``;
            ``"learned"`` (ReFusion): ``sum_k v_k |grad f - grad I_k|``, L1 on both axes, summed.

    Returns:
        0-d.

    Raises:
        ConfigError: ``"learned"`` without weights.
    """
    own = sobel(fused)
    others = [sobel(source) for source in sources]
    if form == "magnitude":
        strength = own[0].abs() + own[1].abs()
        strongest = torch.stack([x.abs() + y.abs() for x, y in others]).amax(0)
        return (strength - strongest).abs().mean()
    if form == "per_axis":
        targets = (_strongest([gradient[axis] for gradient in others]) for axis in (0, 1))
        first, second = ((mine - target).abs().mean() for mine, target in zip(own, targets, strict=True))
        return first + second
    if weights is None:
        raise ConfigError(
            'gradient="learned" needs weights for the gradient term: use a loss generator with '
            'outputs=("intensity", "gradient")'
        )
    total = fused.new_zeros(())
    for weight, theirs in zip(weights.split(1, dim=1), others, strict=True):
        for mine, their in zip(own, theirs, strict=True):
            total = total + (weight * (mine - their).abs()).mean()
    return total


def _strongest(candidates: Sequence[Tensor]) -> Tensor:
    # a tenth of the time of a gather by argmax
    return reduce(lambda a, b: torch.where(a.abs() >= b.abs(), a, b), candidates)


class LearnableFusionLoss(nn.Module):
    """The fusion loss whose weights a loss generator proposes: ``L_f = L_int + alpha L_grad`` (Eq. 1).

    Args:
        generator: any module ``(*sources) -> weights (B, n, H, W)`` after softmax, or a dict of
            such under ``"intensity"`` and ``"gradient"``; default: :class:`metaloss.networks.LossGenerator`
            for two sources.
        alpha: the factor of the gradient term; may be changed between steps.
        alpha_ramp: let the factor grow linearly with the epochs, from 0 in the first to ``alpha`` in the
            last (ReFusion); see :meth:`at_epoch`.
        intensity: see :func:`intensity_term`.
        gradient: see :func:`gradient_term`.
        weights: ``"learned"``, or ``"uniform"`` for 1/n everywhere (ablation I): nothing is learned then.

    Raises:
        ConfigError: an unknown form, a factor that is no number of at least 0, or a generator together with uniform
            weights.

    Examples:
        >>> import torch
        >>> import metaloss
        >>> loss = metaloss.LearnableFusionLoss(alpha=1.0)
        >>> ir, vi = torch.rand(2, 1, 1, 24, 32)
        >>> terms = loss((ir + vi) / 2, (ir, vi))
        >>> terms.weights.shape  # one weight for each pixel and source
        torch.Size([1, 2, 24, 32])
        >>> torch.allclose(terms.weights.sum(1), torch.ones(1, 24, 32))
        True
        >>> torch.allclose(terms.total, terms.intensity + 1.0 * terms.gradient)
        True
    """

    ramp: Tensor | None

    def __init__(
        self,
        generator: nn.Module | None = None,
        *,
        alpha: float = 1.0,
        alpha_ramp: bool = False,
        intensity: Intensity = "weighted",
        gradient: Gradient = "per_axis",
        weights: Weights = "learned",
    ) -> None:
        super().__init__()
        for name, value, known in (
            ("intensity", intensity, get_args(Intensity)),
            ("gradient", gradient, get_args(Gradient)),
            ("weights", weights, get_args(Weights)),
        ):
            if value not in known:
                raise ConfigError(f"LearnableFusionLoss({name}={value!r}): choose one of {known}")
        if isinstance(alpha, bool) or not isinstance(alpha, (int, float)) or not 0 <= alpha < float("inf"):
            raise ConfigError(f"LearnableFusionLoss(alpha={alpha!r}): expected a number of at least 0")
        if not isinstance(alpha_ramp, bool):
            raise ConfigError(f"LearnableFusionLoss(alpha_ramp={alpha_ramp!r}): expected True or False")
        if weights == "uniform" and generator is not None:
            raise ConfigError('LearnableFusionLoss(weights="uniform") uses no generator: leave one of the two out')
        if weights == "learned" and generator is None:
            from metaloss.networks import LossGenerator

            generator = LossGenerator(outputs=("intensity", "gradient") if gradient == "learned" else ("intensity",))
        self.generator = generator
        self.alpha = alpha
        # a tensor: compiled code would be compiled again for every new number
        self.register_buffer("ramp", torch.ones(()) if alpha_ramp else None, persistent=False)
        self.intensity: Intensity = intensity
        self.gradient: Gradient = gradient
        self.settings = dict[str, Any](alpha=alpha, alpha_ramp=alpha_ramp, intensity=intensity)
        self.settings |= {"gradient": gradient, "weights": weights}

    def at_epoch(self, epoch: int, epochs: int) -> None:
        """Moves the ramp on: in epoch e of L the gradient term's factor is ``alpha e / (L - 1)``.

        ``MetaLearner.fit`` and the trainer call this at the start of each epoch, also after a resume; a loop of
        one's own does, too. Until then, without a ramp, and where there is one epoch, the factor is ``alpha``.

        Args:
            epoch: e, from 0.
            epochs: L.
        """
        if self.ramp is not None:
            self.ramp.fill_(1.0 if epochs < 2 else min(epoch / (epochs - 1), 1.0))

    def propose(self, sources: Sequence[Tensor]) -> dict[str, Tensor]:
        """Proposes the weights of the loss terms.

        Args:
            sources: n tensors of shape (B, C, H, W).

        Returns:
            ``"intensity"`` and, where the generator gives it, ``"gradient"``, each (B, n, H, W).

        Raises:
            ShapeError: the generator returned another shape.
            ConfigError: the generator gave no intensity weights.
        """
        batch, _, height, width = sources[0].shape
        expected = (batch, len(sources), height, width)
        if self.generator is None:
            uniform = sources[0].new_full(expected, 1 / len(sources))
            return {"intensity": uniform, "gradient": uniform}
        proposed = self.generator(*sources)
        proposed = proposed if isinstance(proposed, dict) else {"intensity": proposed}
        if "intensity" not in proposed:
            raise ConfigError(
                f"the loss generator proposed weights for {sorted(proposed)}: expected a tensor, or a dict with "
                "'intensity' and, for gradient=\"learned\", 'gradient'"
            )
        for name, weights in proposed.items():
            if weights.shape != expected:
                raise ShapeError(
                    f"the loss generator proposed {name} weights of shape {tuple(weights.shape)} for {len(sources)} "
                    f"sources: expected (B, n, H, W) = {expected}"
                )
        return dict(proposed)

    def forward(self, fused: Tensor, sources: Sequence[Tensor]) -> FusionLossTerms:
        """Measures how well the fused image keeps what the weights ask for.

        Args:
            fused: of shape (B, C, H, W), in [0, 1].
            sources: n tensors of the same shape.

        Returns:
            The total, its two terms and the intensity weights.

        Raises:
            ShapeError: the fused image has not the sources' shape, or the generator gave a wrong shape.
            ConfigError: the generator gave no intensity weights, or ``gradient="learned"`` and it gave no
                gradient weights.
        """
        check_sources(sources)
        if fused.shape != sources[0].shape:
            raise ShapeError(
                f"the fused image has shape {tuple(fused.shape)} and the sources {tuple(sources[0].shape)}: "
                "the fusion loss compares them pixel by pixel"
            )
        weights = self.propose(sources)
        intensity = intensity_term(fused, sources, weights["intensity"], self.intensity)
        gradient = gradient_term(fused, sources, weights.get("gradient"), self.gradient)
        factor = self.alpha if self.ramp is None else self.alpha * self.ramp
        return FusionLossTerms(intensity + factor * gradient, intensity, gradient, weights["intensity"])

    def extra_repr(self) -> str:
        """What ``repr`` shows beside the generator."""
        ramp = ", alpha_ramp=True" if self.ramp is not None else ""
        return f"alpha={self.alpha}{ramp}, intensity={self.intensity!r}, gradient={self.gradient!r}"
