"""The loss generator G: proposes the per-pixel weights of the fusion loss."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from metaloss.errors import ConfigError
from metaloss.networks.refusion import WIDTH, check_grey_sources
from metaloss.networks.restormer import conv3x3, restormer_blocks

OUTPUTS = ("intensity", "gradient")


class LossGenerator(nn.Module):
    """Restormer blocks on each source, on all together, and a softmax over the sources (TDFusion Sec. 3.6).

    44,529 parameters for two sources and one output.

    Args:
        sources: n >= 2.
        outputs: the loss terms to weigh: ``("intensity",)``, or with ``"gradient"`` as well (ReFusion).
        level: take the mean over the image out of the logits: no source is preferred as a whole, only in places.
            What moves all pixels at once is the quickest way down for a meta-gradient, and makes weights swing.

    Raises:
        ConfigError: fewer than two sources, an unknown or missing output, or a ``level`` that is no truth value.

    Examples:
        >>> import torch
        >>> import metaloss
        >>> generator = metaloss.networks.LossGenerator(outputs=("intensity", "gradient"))
        >>> weights = generator(torch.rand(1, 1, 16, 16), torch.rand(1, 1, 16, 16))
        >>> {name: tuple(each.shape) for name, each in weights.items()}
        {'intensity': (1, 2, 16, 16), 'gradient': (1, 2, 16, 16)}
    """

    def __init__(self, sources: int = 2, outputs: Sequence[str] = ("intensity",), level: bool = False) -> None:
        super().__init__()
        if sources < 2:
            raise ConfigError(f"LossGenerator(sources={sources}): image fusion needs at least two sources")
        if not outputs or any(name not in OUTPUTS for name in outputs) or len(set(outputs)) != len(outputs):
            raise ConfigError(f"LossGenerator(outputs={tuple(outputs)!r}): choose from {OUTPUTS}, each once")
        if not isinstance(level, bool):
            raise ConfigError(f"LossGenerator(level={level!r}): expected True or False")
        self.arguments = {"sources": sources, "outputs": tuple(outputs), "level": level}
        self.outputs, self.level = tuple(outputs), level
        self.embed = nn.ModuleList(conv3x3(1, WIDTH) for _ in range(sources))
        self.encoders = nn.ModuleList(restormer_blocks(WIDTH) for _ in range(sources))
        self.joint = restormer_blocks(sources * WIDTH)
        self.head = nn.Sequential(
            conv3x3(sources * WIDTH, WIDTH), nn.PReLU(), conv3x3(WIDTH, sources * len(self.outputs))
        )

    def forward(self, *sources: Tensor) -> Tensor | dict[str, Tensor]:
        """Proposes weights.

        Args:
            sources: n tensors of shape (B, 1, H, W), in [0, 1].

        Returns:
            Weights of shape (B, n, H, W) that sum to 1 over the sources; a dict of such by output
            name when there are several outputs.

        Raises:
            ShapeError: another number of sources, sources that are not grey, or that differ in shape.
        """
        check_grey_sources(sources, len(self.embed), "LossGenerator")
        features = [encoder(embed(x)) for embed, encoder, x in zip(self.embed, self.encoders, sources, strict=True)]
        logits = self.head(self.joint(torch.cat(features, dim=1)))
        if self.level:
            logits = logits - logits.mean((-2, -1), keepdim=True)
        weights = [part.softmax(dim=1) for part in logits.chunk(len(self.outputs), dim=1)]
        return weights[0] if len(weights) == 1 else dict(zip(self.outputs, weights, strict=True))
