"""Checked images, and what several metrics need of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any, Concatenate, ParamSpec, TypeAlias, TypeVar

import torch
from torch import Tensor

from metaloss.errors import DataError, ShapeError
from metaloss.metrics.conventions import Convention, get_convention
from metaloss.metrics.edges import Border, derivatives

# On a CPU the metrics are bound by memory: some hundred passes over one image at a time stay in
# the cache, over a whole batch of 16 they do not (measured: half as fast).
_CPU_PIXELS = 640 * 480

Made = TypeVar("Made")
Options = ParamSpec("Options")


class Images:
    """A part of a batch: the fused images, their sources, and intermediates made when first asked for.

    Args:
        fused: of shape (B, H, W), floating point, 0-255.
        sources: n tensors of that shape; may be empty for metrics of the fused image alone.

    Attributes:
        stack: of shape (1 + n, B, H, W): the fused images, then the sources.
    """

    def __init__(self, fused: Tensor, sources: Sequence[Tensor] = ()) -> None:
        self.stack = torch.stack([fused, *sources])
        self._made: dict[tuple[object, ...], Any] = {}

    @property
    def fused(self) -> Tensor:
        """The fused images, of shape (B, H, W)."""
        return self.stack[0]

    @property
    def sources(self) -> Tensor:
        """The sources, of shape (n, B, H, W)."""
        return self.stack[1:]

    @property
    def pixels(self) -> int:
        """The number of pixels of one image."""
        return self.stack.shape[-1] * self.stack.shape[-2]

    def require_side(self, side: int, metric: str) -> None:
        """Refuses images that are too small for a metric.

        Args:
            side: the smallest height and width in pixels.
            metric: its name, for the message.

        Raises:
            ShapeError: the images are smaller.
        """
        height, width = self.stack.shape[-2:]
        if min(height, width) < side:
            raise ShapeError(
                f"{metric} is not defined for images of {height}x{width} pixels: it needs at least {side}x{side}; "
                f"leave {metric} out, or measure larger images"
            )

    @cached_property
    def stretched(self) -> Tensor:
        """Each image of ``stack`` stretched to 0-255 and rounded; a constant one becomes 0."""
        low, high = self.stack.amin((-2, -1), keepdim=True), self.stack.amax((-2, -1), keepdim=True)
        span = high - low
        return ((self.stack - low) / torch.where(span > 0, span, 1) * 255).round()

    def shared(
        self, make: Callable[Concatenate[Images, Options], Made], *options: Options.args, **named: Options.kwargs
    ) -> Made:
        """An intermediate that several metrics need, made once for each choice of its options.

        Args:
            make: makes it of these images.
            options: for ``make``; they must be hashable.
            named: the same, by keyword.

        Returns:
            What ``make`` returned, now or before.
        """
        key = (make, *options, *named.items())
        if key not in self._made:
            self._made[key] = make(self, *options, **named)
        made: Made = self._made[key]
        return made

    def sobel(self, border: Border, *, stretch: bool = False) -> tuple[Tensor, Tensor]:
        """Sobel gradients of all images, made once for each choice.

        Args:
            border: ``"zeros"``, ``"symmetric"`` or ``"mirrored"``: what lies outside the image.
            stretch: take the stretched images.

        Returns:
            Horizontal and vertical derivatives, each of shape (1 + n, B, H, W).
        """
        return self.shared(_sobel, border, stretch=stretch)


Compute: TypeAlias = Callable[[Images, Convention], Tensor]


def root(squares: Tensor) -> Tensor:
    """The square root whose derivative at 0 is 0 instead of infinite; values are at least 1e-19."""
    return squares.clamp_min(torch.finfo(squares.dtype).tiny).sqrt()


def split(fused: Tensor, sources: Sequence[Tensor] = ()) -> Iterator[Images]:
    """Checks a batch and cuts it into parts that are fast to work on.

    Args:
        fused: of shape (B, 1, H, W), 0-255, floating point or integer.
        sources: none, or n >= 2 tensors of that shape.

    Yields:
        The parts in order, in float32, or in float64 where one of the tensors is.

    Raises:
        ShapeError: shapes other than the above, or an empty batch.
        DataError: values outside 0-255, not finite, or plainly of the range [0, 1].
    """
    _check_shapes(fused, sources)
    _check_range(fused, sources)
    dtype = torch.float32
    for image in (fused, *sources):
        dtype = torch.promote_types(dtype, image.dtype)
    size = len(fused)
    if fused.device.type == "cpu":
        size = math.ceil(_CPU_PIXELS / fused[0].numel())
    for start in range(0, len(fused), size):
        part = [image[start : start + size, 0].to(dtype) for image in (fused, *sources)]
        yield Images(part[0], part[1:])


def per_image(compute: Compute, fused: Tensor, sources: Sequence[Tensor], convention: str) -> Tensor:
    """Runs one metric over a batch.

    Args:
        compute: the metric on checked images.
        fused: of shape (B, 1, H, W), 0-255.
        sources: n tensors of that shape.
        convention: its name.

    Returns:
        One value per image, of shape (B,).
    """
    rules = get_convention(convention)
    return torch.cat([compute(images, rules) for images in split(fused, sources)])


def check_number(sources: Sequence[Tensor]) -> None:
    """Refuses to compare a fused image with fewer than two sources.

    Args:
        sources: the tensors given.

    Raises:
        ShapeError: there are fewer than two.
    """
    if len(sources) < 2:
        raise ShapeError(f"{len(sources)} source given: a fusion metric needs at least two registered sources")


def _check_shapes(fused: Tensor, sources: Sequence[Tensor]) -> None:
    if len(sources) > 0:
        check_number(sources)
    for name, image in _named(fused, sources):
        if image.ndim != 4 or image.shape[1] != 1:
            raise ShapeError(
                f"{name} has shape {tuple(image.shape)}: expected grey images (B, 1, H, W); "
                "take the luma of colour images (metaloss.colour.luma)"
            )
        if image.numel() == 0:
            raise ShapeError(f"{name} has shape {tuple(image.shape)}: there is no pixel to measure")
        if image.shape != fused.shape:
            raise ShapeError(
                f"{name} has shape {tuple(image.shape)}, fused has {tuple(fused.shape)}: "
                "a fused image and its sources have one shape"
            )


def _check_range(fused: Tensor, sources: Sequence[Tensor]) -> None:
    for name, image in _named(fused, sources):
        low, high = (value.item() for value in image.detach().aminmax())
        if not (low >= 0 and high <= 255):
            raise DataError(f"{name} has values from {low:g} to {high:g}: expected finite values in 0-255")
        # A fused image may rightly be this dark (a network that collapsed), its sources may not.
        forgotten = high <= 1 and (name != "fused" or len(sources) == 0)
        if forgotten and low < high and _has_fractions(image.detach()):
            raise DataError(
                f"{name} has fractional values from {low:g} to {high:g}, as images in [0, 1] have: "
                "expected 0-255; multiply by 255"
            )


def _has_fractions(image: Tensor) -> bool:
    return image.is_floating_point() and bool((image != image.round()).any())


def _named(fused: Tensor, sources: Sequence[Tensor]) -> list[tuple[str, Tensor]]:
    return [("fused", fused), *((f"source {number}", source) for number, source in enumerate(sources))]


def _sobel(images: Images, border: Border, *, stretch: bool) -> tuple[Tensor, Tensor]:
    return derivatives(images.stretched if stretch else images.stack, border)
