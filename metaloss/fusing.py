"""Runs a trained fusion network on images of any size."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from metaloss.errors import ShapeError
from metaloss.modes import evaluating

_STRIDES = (8, 16, 32, 64)


def fuse_any_size(fusion: nn.Module, sources: Sequence[Tensor]) -> Tensor:
    """Fuses without gradient and in evaluation mode.

    A network with strides keeps only sizes that they divide. Where it returns another size, or
    refuses the size, the sources are padded by repeating their edge and the result is cropped.

    Args:
        fusion: ``(*sources) -> fused``.
        sources: n tensors of shape (B, C, H, W).

    Returns:
        The fused image (B, C, H, W), of the sources' height and width.

    Raises:
        ShapeError: the network fits no padded size either.
    """
    height, width = sources[0].shape[-2:]
    with evaluating(fusion), torch.no_grad():
        refusal: RuntimeError | None = None
        try:
            fused = fusion(*sources)
            if fused.shape[-2:] == (height, width):
                return fused  # type: ignore[no-any-return]
        except RuntimeError as error:
            refusal = error
        for stride in _STRIDES:
            down, right = -height % stride, -width % stride
            if not (down or right):
                continue
            try:
                fused = fusion(*(F.pad(source, (0, right, 0, down), mode="replicate") for source in sources))
            except RuntimeError as error:
                refusal = error
                continue
            if fused.shape[-2:] == (height + down, width + right):
                return fused[..., :height, :width]  # type: ignore[no-any-return]
    if refusal is not None:
        raise refusal
    raise ShapeError(
        f"{type(fusion).__name__} fused {height}x{width} pixels into {fused.shape[-2]}x{fused.shape[-1]}: "
        "a fusion network keeps the sources' size"
    )
