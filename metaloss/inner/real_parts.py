"""Complex tensors as pairs of real numbers."""

from __future__ import annotations

import torch
from torch import Tensor


def as_real(tensor: Tensor) -> Tensor:
    """The tensor, or real and imaginary part of a complex one along a new last dimension."""
    return torch.view_as_real(tensor) if tensor.is_complex() else tensor
