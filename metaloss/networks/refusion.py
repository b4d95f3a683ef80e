"""The ReFusion network, which TDFusion uses as well: the reference fusion network."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from metaloss.batch import check_sources
from metaloss.errors import ConfigError, ShapeError
from metaloss.networks import bands
from metaloss.networks.restormer import (
    Pointwise,
    channel_attention,
    conv3x3,
    depthwise,
    gated,
    mixed_channels,
    mixing_in_bands,
    parts,
    restormer_blocks,
)

WIDTH = 16
HEADS = 8


class BranchMixing(nn.Module):
    """One source's part of the adaptive fusion module: attention to its neighbour, and its gated features."""

    def __init__(self, sources: int) -> None:
        super().__init__()
        self.temperature = nn.Parameter(torch.ones(HEADS, 1, 1))
        self.qkv = Pointwise(WIDTH, 3 * WIDTH)
        self.qkv_depthwise = depthwise(3 * WIDTH)
        self.projection = Pointwise(WIDTH, WIDTH)
        self.value = Pointwise(WIDTH, 4 * WIDTH)
        self.value_depthwise = depthwise(4 * WIDTH)
        self.output = Pointwise(4 * WIDTH, sources * WIDTH)

    def projected(self, x: Tensor, part: int) -> Tensor:
        """Queries (part 0), keys (1) or values (2) of the source's features, (B, 16, H, W)."""
        wanted = slice(part * WIDTH, (part + 1) * WIDTH)
        (projected,) = parts(x, self.qkv.weight[wanted], self.qkv_depthwise.weight[wanted], 1)
        return projected


class AdaptiveFusion(nn.Module):
    """Cross attention between the branches, then gated depth-wise feature mixing.

    Branch k takes its queries from branch k + 1 (cyclic), its keys and values from itself: for two
    sources this is attention in both directions.

    Args:
        sources: n.
    """

    def __init__(self, sources: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(BranchMixing(sources) for _ in range(sources))
        self.gate = Pointwise(sources * WIDTH, sources * 4 * WIDTH)
        self.gate_depthwise = depthwise(sources * 4 * WIDTH)

    def forward(self, *features: Tensor) -> Tensor:
        """Fuses n feature maps (B, 16, H, W) into (B, 16 n, H, W)."""
        branches: list[BranchMixing] = list(self.branches)  # type: ignore[arg-type]
        if bands.in_bands(features[0]):
            mixings = [
                mixing_in_bands(
                    partial(_query_and_key, branches[(k + 1) % len(branches)], branch),
                    features[(k + 1) % len(branches)],
                    features[k],
                    temperature=branch.temperature,
                    projection=branch.projection.weight,
                )
                for k, branch in enumerate(branches)
            ]
            out: Tensor = bands.stitched(partial(self._attended, mixings), *features, reach=2)
            return out
        triples = [
            parts(x, branch.qkv.weight, branch.qkv_depthwise.weight, 3)
            for branch, x in zip(branches, features, strict=True)
        ]
        mixed = []
        for k, (branch, x) in enumerate(zip(branches, features, strict=True)):
            query = triples[(k + 1) % len(branches)][0]
            _, key, value = triples[k]
            mixed.append(x + channel_attention(query, key, value, branch.temperature, branch.projection.weight))
        return self._gated(mixed)

    def _attended(self, mixings: list[Tensor], *features: Tensor) -> Tensor:
        branches: list[BranchMixing] = list(self.branches)  # type: ignore[arg-type]
        return self._gated(
            [
                x + mixed_channels(branch.projected(x, 2), mixing)
                for branch, x, mixing in zip(branches, features, mixings, strict=True)
            ]
        )

    def _gated(self, mixed: list[Tensor]) -> Tensor:
        branches: list[BranchMixing] = list(self.branches)  # type: ignore[arg-type]
        out = torch.cat(mixed, dim=1)
        gates = parts(out, self.gate.weight, self.gate_depthwise.weight, len(branches))
        for branch, x, gate in zip(branches, mixed, gates, strict=True):
            (value,) = parts(x, branch.value.weight, branch.value_depthwise.weight, 1)
            out = out + branch.output(gated(gate, value))
        return out


def _query_and_key(asking: BranchMixing, asked: BranchMixing, x: Tensor, y: Tensor) -> Tensor:
    return torch.cat([asking.projected(x, 0), asked.projected(y, 1)], dim=1)


class ReFusionNet(nn.Module):
    """Fuses n grey images into one (ReFusion, IJCV 2024; 59,856 parameters for two sources).

    Args:
        sources: n >= 2.

    Raises:
        ConfigError: fewer than two sources.

    Examples:
        >>> import torch
        >>> import metaloss
        >>> network = metaloss.networks.ReFusionNet()
        >>> sum(parameter.numel() for parameter in network.parameters())
        59856
        >>> network(torch.rand(1, 1, 23, 31), torch.rand(1, 1, 23, 31)).shape  # any size
        torch.Size([1, 1, 23, 31])
    """

    def __init__(self, sources: int = 2) -> None:
        super().__init__()
        if sources < 2:
            raise ConfigError(f"ReFusionNet(sources={sources}): image fusion needs at least two sources")
        self.arguments = {"sources": sources}
        self.embed = nn.ModuleList(conv3x3(1, WIDTH) for _ in range(sources))
        self.encoders = nn.ModuleList(restormer_blocks(WIDTH) for _ in range(sources))
        self.mixing = AdaptiveFusion(sources)
        self.decoder = restormer_blocks(sources * WIDTH)
        self.head = nn.Sequential(conv3x3(sources * WIDTH, WIDTH), nn.LeakyReLU(), conv3x3(WIDTH, 1), nn.Sigmoid())

    def forward(self, *sources: Tensor) -> Tensor:
        """Fuses.

        Args:
            sources: n tensors of shape (B, 1, H, W), in [0, 1]; any H and W.

        Returns:
            The fused image, of shape (B, 1, H, W), in (0, 1).

        Raises:
            ShapeError: another number of sources, sources that are not grey, or that differ in shape.
        """
        check_grey_sources(sources, len(self.embed), "ReFusionNet")
        features = [encoder(embed(x)) for embed, encoder, x in zip(self.embed, self.encoders, sources, strict=True)]
        decoded = self.decoder(self.mixing(*features))
        fused: Tensor = bands.stitched(self.head, decoded, reach=2) if bands.in_bands(decoded) else self.head(decoded)
        return fused


def check_grey_sources(sources: tuple[Tensor, ...], expected: int, network: str) -> None:
    """Checks that a network is given as many grey sources as it was built for.

    Raises:
        ShapeError: when it is not.
    """
    check_sources(sources)
    if len(sources) != expected:
        raise ShapeError(f"{network} was built for {expected} sources and given {len(sources)}")
    if sources[0].shape[1] != 1:
        raise ShapeError(
            f"{network} takes grey sources (B, 1, H, W) and was given {tuple(sources[0].shape)}: "
            "pass the luma (metaloss.colour.luma)"
        )
