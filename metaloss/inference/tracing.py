"""A fusion network as one graph of tensor operators, for images of any size or of one."""

from __future__ import annotations

import copy
import io
import logging
import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr

import torch
from torch import Tensor, nn

from metaloss.errors import ConfigError, MetaLossError
from metaloss.inference.fuse import fuse_any_size
from metaloss.networks.adapted import Adapted
from metaloss.networks.calling import name_of
from metaloss.networks.wrappers import unwrapped

Size = tuple[int, int]
_STRIDES = (1, 2, 4, 8, 16, 32, 64, 128, 7, 14, 28, 56, 112, 224)
_SMALLEST = 16  # height and width that a file for any size takes at least
_LARGEST = 2**20  # in steps of the network's stride: as good as none, which torch 2.4 does not take
ONE_SIZE = "--size HxW (size=(H, W) in Python)"
_CHATTER = ("onnxscript", "onnx_ir", "torch.onnx", "torch.export", "torch.fx")
_SIDE = 40  # of the images that sizes are tried with: more than what pads by reflection asks for


class Exportable(nn.Module):
    """A copy of a network, on the CPU, in evaluation mode and float32; it pads nothing.

    Args:
        network: ``(*sources) -> fused``.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = copy.deepcopy(unwrapped(network)).cpu().float().eval()
        self.multiple = 1
        if isinstance(self.network, Adapted):  # its condition on the size would hold for one size alone
            self.multiple, self.network.multiple = self.network.multiple, 1

    def forward(self, *sources: Tensor) -> Tensor:
        """Fuses n sources (B, 1, H, W)."""
        return self.network(*sources)  # type: ignore[no-any-return]


def images(count: int, shape: tuple[int, int, int]) -> tuple[Tensor, ...]:
    """Smooth images with some noise, always the same.

    Args:
        count: n.
        shape: B, H and W.

    Returns:
        n tensors of shape (B, 1, H, W), in [0, 1].
    """
    batch, *size = shape
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(count * batch, 1, 4, 5, generator=generator)
    smooth = nn.functional.interpolate(coarse, size, mode="bilinear", align_corners=False)
    noisy: Tensor = smooth + 0.05 * torch.randn(smooth.shape, generator=generator)
    return tuple(image.clone() for image in noisy.clamp(0, 1).split(batch))  # the tracer sees views of one as one


def fused_by(network: nn.Module, sources: Sequence[Tensor]) -> Tensor:
    """The network's own image of sources.

    Raises:
        ConfigError: the network fails on them, or gives NaN.
        MetaLossError: it cannot be called with so many grey sources, or gives no image.
    """
    height, width = sources[0].shape[-2:]
    given = f"{name_of(network)}, called with {len(sources)} sources of {height}x{width},"
    try:
        fused = fuse_any_size(network, sources)
    except MetaLossError:
        raise
    except Exception as error:
        raise ConfigError(
            f"{given} fails ({reason(error)}): name each of its sources (--sources A,B,C; sources=('a', 'b', 'c')), or "
            f"give the size that it takes, {ONE_SIZE}"
        ) from error
    if not fused.isfinite().all():
        raise ConfigError(f"{given} gives NaN or infinite values: its weights are damaged, or too large")
    return fused


def stride_of(module: Exportable, count: int) -> int | None:
    """The smallest number of pixels whose multiples a network takes as height and width; ``None``: there is none.

    Args:
        module: the network.
        count: of its sources.

    Raises:
        MetaLossError: it cannot be called with so many grey sources, or gives no image.
    """
    fused_by(module.network, images(count, (1, _SIDE, _SIDE)))
    if isinstance(module.network, Adapted) and module.network.square:
        return None
    for stride in (math.lcm(each, module.multiple) for each in _STRIDES):
        steps = -(-_SIDE // stride) | 1
        sizes = ((steps, steps + 2), (steps + 3, steps + 1))
        if all(_takes(module, count, (height * stride, width * stride)) for height, width in sizes):
            return stride
    return None


def _takes(module: nn.Module, count: int, size: Size) -> bool:
    try:
        with torch.no_grad():
            fused = module(*images(count, (1, *size)))
    except Exception:  # whatever it has against this size
        return False
    return isinstance(fused, Tensor) and fused.shape == (1, 1, *size)


def traced(module: Exportable, count: int, stride: int, size: Size | None) -> torch.export.ExportedProgram:
    """Traces a network with ``torch.export``, for batches of any size.

    Args:
        module: the network.
        count: of its sources.
        stride: of which height and width are multiples.
        size: the one height and width, or ``None`` for any.

    Raises:
        ConfigError: it cannot be traced; with the reason and the nearest fix.
    """
    dims = {0: torch.export.Dim("batch", min=1)}
    if size is None:
        least = -(-_SMALLEST // stride)
        sides = [torch.export.Dim(name, min=least, max=_LARGEST) for name in ("height", "width")]
        dims |= {2: stride * sides[0], 3: stride * sides[1]}
    # sizes as no layer has them, since the tracer takes equal numbers for related ones
    shape = (3, *(size or (53 * stride, 59 * stride)))
    try:
        with silence(), redirect_stderr(io.StringIO()), torch.enable_grad():  # without grad, large images pass in bands
            program = torch.export.export(
                module, images(count, shape), dynamic_shapes={"sources": (dims,) * count}, strict=False
            )
    except Exception as error:
        name, kind = name_of(module.network), "images of any size" if size is None else f"{size[0]}x{size[1]} pixels"
        fix = "an operator of its own is in the way" if size else f"{ONE_SIZE} exports it for images of one size"
        if "(batch)" in str(error):
            fix = "it computes sizes from the number of images, which torch.export does not follow"
        raise ConfigError(f"{name} cannot be exported for {kind} ({reason(error)}): {fix}") from error
    program._example_inputs = None  # a file would hold the images; torch 2.4 has no public way
    return program


def reason(error: BaseException) -> str:
    """An error's type and the first line of what it says."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__


@contextmanager
def silence() -> Iterator[None]:
    """Keeps the exporters from talking of their own optimisations."""
    loggers = [logging.getLogger(name) for name in _CHATTER]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
