"""Checked images, and what several metrics need of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any, Concatenate, ParamSpec, TypeVar

import torch
from torch import Tensor

from metaloss.errors import DataError, ShapeError
from metaloss.metrics.conventions import Colour
from metaloss.metrics.edges import Border, derivatives

# On a CPU the metrics are bound by memory: some hundred passes over one image at a time stay in
# the cache, over a whole batch of 16 they do not (measured: half as fast).
_CPU_PIXELS = 640 * 480

Made = TypeVar("Made")
Options = ParamSpec("Options")


class Images:
    """A part of a batch: the fused images, their sources, and intermediates made when first asked for.

    Where a convention measures colour by bands, each band is an image here: the three of the first image, the three
    of the second, and so on. Grey images among colour ones are repeated.

    Args:
        fused: of shape (B, H, W) or (B, C, H, W), C of 1 or 3 bands, floating point, 0-255.
        sources: n tensors of that shape, of other C perhaps; may be empty for metrics of the fused image alone.

    Attributes:
        stack: of shape (1 + n, B * bands, H, W): the fused images, then the sources.
        bands: 3 where there is colour, else 1.
    """

    def __init__(self, fused: Tensor, sources: Sequence[Tensor] = ()) -> None:
        images = [image.unsqueeze(1) if image.ndim == 3 else image for image in (fused, *sources)]
        self.bands = max(image.shape[1] for image in images)
        self.stack = torch.stack([image.expand(-1, self.bands, -1, -1).flatten(0, 1) for image in images])
        self._fused = images[0]
        self._made: dict[tuple[object, ...], Any] = {}

    @property
    def fused(self) -> Tensor:
        """The fused images, of shape (B * bands, H, W)."""
        return self.stack[0]

    @property
    def sources(self) -> Tensor:
        """The sources, of shape (n, B * bands, H, W)."""
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
    def joined(self) -> Images:
        """The fused images alone, of shape (B, H, C * W): their own C bands side by side, no band repeated."""
        return Images(self._fused.transpose(1, 2).flatten(2))

    @cached_property
    def stretched(self) -> Tensor:
        """Each image of ``stack`` stretched to 0-255 and rounded, halves up; a constant one becomes 0."""
        low, high = self.stack.amin((-2, -1), keepdim=True), self.stack.amax((-2, -1), keepdim=True)
        span = high - low
        # Spans of 170, for one, make many halves: in float64 and up, as MATLAB rounds them.
        part = (self.stack - low).double() / torch.where(span > 0, span, 1)
        return (part * 255 + 0.5).floor().to(self.stack.dtype)

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
            Horizontal and vertical derivatives, each of the shape of ``stack``.
        """
        return self.shared(_sobel, border, stretch=stretch)


def root(squares: Tensor) -> Tensor:
    """The square root whose derivative at 0 is 0 instead of infinite; values are at least 1e-19."""
    return squares.clamp_min(torch.finfo(squares.dtype).tiny).sqrt()


def split(fused: Tensor, sources: Sequence[Tensor] = (), *, colour: Colour = "luma") -> Iterator[Images]:
    """Checks a batch and cuts it into parts that are fast to work on.

    Args:
        fused: of shape (B, 1, H, W), or (B, 3, H, W) by bands; 0-255, floating point or integer.
        sources: none, or n >= 2 tensors of that shape, by bands with one or three channels each.
        colour: what the convention does with it.

    Yields:
        The parts in order, in float32, or in float64 where one of the tensors is.

    Raises:
        ShapeError: shapes other than the above, or an empty batch.
        DataError: values outside 0-255, not finite, or plainly of the range [0, 1].
    """
    _check_shapes(fused, sources, colour)
    for name, image in _named(fused, sources):
        # A fused image may rightly be this dark (a network that collapsed), its sources may not.
        check_range(image, name, dark=name == "fused" and len(sources) > 0)
    dtype = torch.float32
    for image in (fused, *sources):
        dtype = torch.promote_types(dtype, image.dtype)
    size = len(fused)
    if fused.device.type == "cpu":
        size = math.ceil(_CPU_PIXELS / max(image[0].numel() for image in (fused, *sources)))
    for start in range(0, len(fused), size):
        part = [image[start : start + size].to(dtype) for image in (fused, *sources)]
        yield Images(part[0], part[1:])


def check_number(sources: Sequence[object]) -> None:
    """Refuses to compare a fused image with fewer than two sources.

    Args:
        sources: what was given.

    Raises:
        ShapeError: there are fewer than two.
    """
    if len(sources) < 2:
        raise ShapeError(f"{len(sources)} source given: a fusion metric needs at least two registered sources")


def _check_shapes(fused: Tensor, sources: Sequence[Tensor], colour: Colour) -> None:
    if len(sources) > 0:
        check_number(sources)
    for name, image in _named(fused, sources):
        if colour == "bands" and (image.ndim != 4 or image.shape[1] not in (1, 3)):
            raise ShapeError(f"{name} has shape {tuple(image.shape)}: expected images (B, 1, H, W) or (B, 3, H, W)")
        if colour == "luma" and (image.ndim != 4 or image.shape[1] != 1):
            raise ShapeError(
                f"{name} has shape {tuple(image.shape)}: expected grey images (B, 1, H, W); take the luma of colour "
                "images (metaloss.colour.luma), or a convention that measures colour by bands, as 'vifb'"
            )
        if image.numel() == 0:
            raise ShapeError(f"{name} has shape {tuple(image.shape)}: there is no pixel to measure")
        if len(image) != len(fused) or image.shape[-2:] != fused.shape[-2:]:
            raise ShapeError(
                f"{name} has shape {tuple(image.shape)}, fused has {tuple(fused.shape)}: "
                "a fused image and its sources have one shape"
            )


def check_range(image: Tensor, name: str, *, dark: bool = False) -> None:
    """Refuses values that are no grey levels.

    Args:
        image: of any shape.
        name: of the image, for messages.
        dark: whether it may rightly be as dark as an image in [0, 1] would be.

    Raises:
        DataError: values outside 0-255, not finite, or plainly of the range [0, 1].
    """
    low, high = (value.item() for value in image.detach().aminmax())
    if not (low >= 0 and high <= 255):
        raise DataError(f"{name} has values from {low:g} to {high:g}: expected finite values in 0-255")
    if not dark and low < high <= 1 and _has_fractions(image.detach()):
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
