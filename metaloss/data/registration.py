"""Finds out whether two images of a scene look unregistered."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

_SIDE = 320  # the longer side at which images are compared, pixels
_REACH = 16  # how far a displacement is searched there, pixels
_GRID = (4, 5)
_SMOOTH = 3
_ROUNDS, _BEAM, _TRIES = 16, 24, 24

SUSPICIOUS_SHIFT = 0.97
SUSPICIOUS_CHANCE = 0.4


@dataclass(frozen=True)
class Displacement:
    """How the second image lies against the first.

    Attributes:
        shift: of the best match, root mean square over the image, per cent of its longer side.
        kept: the match as the images are, over the best match; 1 when none is better.
        chance: the best match with the second image mirrored, over the best match: as much comes about
            between images that have nothing to do with each other. Where it is high, nothing is known.
    """

    shift: float
    kept: float
    chance: float

    @property
    def unregistered(self) -> bool:
        """Whether the pair looks unregistered: a far better match, far away, and no matter of chance."""
        return self.shift * (1 - self.kept) >= SUSPICIOUS_SHIFT and self.chance <= SUSPICIOUS_CHANCE


def displacement(first: Tensor, second: Tensor) -> Displacement:
    """Compares where the edges of two images lie and how they run; brightness and its sign do not count.

    Edge directions (at double angle, so that an edge from dark to bright equals its reverse) are
    correlated block by block, and the affine displacement with the highest sum over the blocks is searched.

    Args:
        first: luma of shape (1, H, W), in [0, 1].
        second: likewise.

    Returns:
        The displacement; all zero in ``shift`` and 1 in ``kept`` for images without edges.
    """
    a, b = (_edges(_reduced(image)) for image in (first, second))
    surfaces, centres = _surfaces(a, b)
    best, value = _search(surfaces, centres)
    if value <= 0:
        return Displacement(0.0, 1.0, 1.0)
    kept = _score(torch.zeros(1, 6), surfaces, centres).item() / value
    side = max(a.shape[-2:])
    shift = 100 * _field(best[None], centres).square().sum(-1).mean().sqrt().item() / side
    if shift * (1 - kept) < SUSPICIOUS_SHIFT:
        return Displacement(shift, kept, 0.0)
    mirrored = (_edges(_reduced(second.flip(axes))) for axes in ((-2,), (-1,), (-2, -1)))
    chance = max(_search(*_surfaces(a, image))[1] for image in mirrored) / value
    return Displacement(shift, kept, chance)


def _reduced(image: Tensor) -> Tensor:
    height, width = image.shape[-2:]
    factor = _SIDE / max(height, width)
    image = image.reshape(1, 1, height, width)
    if factor >= 1:
        return image
    return F.interpolate(image, size=(max(round(height * factor), 1), max(round(width * factor), 1)), mode="area")


def _edges(image: Tensor) -> Tensor:
    """Directions at double angle, (2, H, W), as long as 1 at strong edges and 0 in flat parts."""
    kernel = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    across, down = F.conv2d(
        F.pad(image, (1, 1, 1, 1), mode="replicate"), torch.stack([kernel, kernel.T]).unsqueeze(1)
    ).unbind(1)
    strength = across.square() + down.square()
    soft = strength + 0.1 * strength.mean() + 1e-8
    return torch.cat([(across.square() - down.square()) / soft, 2 * across * down / soft])


def _surfaces(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Per block of ``a`` its correlation with ``b`` at every displacement, (N, 1, 2 R + 1, 2 R + 1), and its centre."""
    height, width = a.shape[-2:]
    rows, columns = _GRID
    down = torch.arange(height) * rows // height
    across = torch.arange(width) * columns // width
    block = down[:, None] * columns + across
    mask = (block == torch.arange(rows * columns)[:, None, None]).unsqueeze(1)
    size = (height + _REACH, width + _REACH)
    spectra = (torch.fft.rfft2(a * mask, s=size).conj() * torch.fft.rfft2(b, s=size)).sum(1)
    every = torch.fft.irfft2(spectra, s=size)
    steps = torch.arange(-_REACH, _REACH + 1)
    near = every[:, steps % size[0]][:, :, steps % size[1]].unsqueeze(1)
    near = near - near.mean((-2, -1), keepdim=True)
    bell = torch.exp(-torch.arange(-_SMOOTH, _SMOOTH + 1.0).square() / 2)
    bell = bell / bell.sum()
    smooth = F.conv2d(
        F.pad(near, [_SMOOTH] * 4, mode="replicate"), (bell[:, None] * bell).reshape(1, 1, len(bell), len(bell))
    )
    centres = torch.cartesian_prod(
        (2 * torch.arange(rows) + 1) / rows - 1, (2 * torch.arange(columns) + 1) / columns - 1
    )
    return smooth, centres


def _field(params: Tensor, centres: Tensor) -> Tensor:
    """The affine displacement ``t + M c`` (candidates, blocks, 2) of parameters (candidates, 6)."""
    return params[:, None, :2] + torch.einsum("nij,bj->nbi", params[:, 2:].reshape(-1, 2, 2), centres)


def _score(params: Tensor, surfaces: Tensor, centres: Tensor) -> Tensor:
    places = (_field(params, centres).flip(-1) / _REACH).permute(1, 0, 2).unsqueeze(1)
    return F.grid_sample(surfaces, places, padding_mode="border", align_corners=True).sum((0, 1, 2))


def _search(surfaces: Tensor, centres: Tensor) -> tuple[Tensor, float]:
    """The best parameters and their score: a beam from the best shifts of the whole, with shrinking random steps."""
    generator = torch.Generator().manual_seed(0)
    side = 2 * _REACH + 1
    starts = surfaces.sum((0, 1)).flatten().topk(200).indices
    current = torch.zeros(201, 6)
    current[:200, 0], current[:200, 1] = starts // side - _REACH, starts % side - _REACH
    limit = torch.tensor([_REACH] * 2 + [10.0] * 4)
    step = 4.0
    for _ in range(_ROUNDS):
        moves = step * torch.randn(len(current), _TRIES, 6, generator=generator)
        tried = torch.cat([current.unsqueeze(1), current.unsqueeze(1) + moves], dim=1).clamp(-limit, limit)
        scores = _score(tried.reshape(-1, 6), surfaces, centres).reshape(len(current), -1)
        top, which = scores.max(1)
        kept = top.topk(min(len(top), _BEAM)).indices
        current = tried[torch.arange(len(tried)), which][kept]
        step *= 0.8
    return current[0], top[kept[0]].item()
