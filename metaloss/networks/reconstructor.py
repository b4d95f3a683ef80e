"""The reconstructor R of ReFusion: gives the sources back from the fused image."""

from __future__ import annotations

from torch import Tensor, nn

from metaloss.errors import ConfigError, ShapeError
from metaloss.networks.refusion import WIDTH
from metaloss.networks.restormer import conv3x3, restormer_blocks


class SourceReconstructor(nn.Module):
    """Restormer blocks on the fused image, then blocks and a head for each source: the fusion network backwards.

    Each head gives the difference from the fused image, as Restormer does (Zamir et al., CVPR 2022, Sec. 3).
    26,880 parameters for two sources.

    Args:
        sources: n >= 2.

    Raises:
        ConfigError: fewer than two sources.
    """

    def __init__(self, sources: int = 2) -> None:
        super().__init__()
        if sources < 2:
            raise ConfigError(f"SourceReconstructor(sources={sources}): image fusion has at least two sources")
        self.arguments = {"sources": sources}
        self.embed = conv3x3(1, WIDTH)
        self.encoder = restormer_blocks(WIDTH)
        self.decoders = nn.ModuleList(restormer_blocks(WIDTH) for _ in range(sources))
        self.heads = nn.ModuleList(
            nn.Sequential(conv3x3(WIDTH, WIDTH), nn.LeakyReLU(), conv3x3(WIDTH, 1)) for _ in range(sources)
        )

    def forward(self, fused: Tensor) -> tuple[Tensor, ...]:
        """Reconstructs.

        Args:
            fused: of shape (B, 1, H, W), in [0, 1]; any H and W.

        Returns:
            n tensors of shape (B, 1, H, W); not bounded.

        Raises:
            ShapeError: another shape.
        """
        if fused.ndim != 4 or fused.shape[1] != 1:
            raise ShapeError(
                f"SourceReconstructor takes grey fused images (B, 1, H, W) and was given {tuple(fused.shape)}"
            )
        features = self.encoder(self.embed(fused))
        return tuple(fused + head(decoder(features)) for decoder, head in zip(self.decoders, self.heads, strict=True))
