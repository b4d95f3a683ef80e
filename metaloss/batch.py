"""The one thing that flows through the house: a batch of registered source images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from metaloss.errors import DataError, ShapeError

_FAR = 10.0  # no image in [0, 1], and no standardised one, comes near
DIVIDE = "divide by the largest value of its kind (255 for 8 bits, 65535 for 16)"


@dataclass(frozen=True)
class FusionBatch:
    """A batch of n >= 2 registered images of the same scenes.

    Attributes:
        sources: n tensors of shape (B, C, H, W), float in [0, 1]: the view that the task sees.
        target: what the task learns from; opaque to everything but the task.
        fusion_view: n tensors of shape (B, C, h, w): the view that the fusion loss sees
            (a crop, say); ``None`` stands for ``sources`` themselves.
        chroma: the CbCr that belongs to ``sources``, of shape (B, 2, H, W), or ``None``.
        names: one name per item of the batch, for messages.
        order: of shape (B, n), int64: ``order[b, k]`` is the number of the original source that
            stands at place k of item b after a source exchange; ``None``: nothing was exchanged.

    Raises:
        ShapeError: fewer than two sources, sources that differ in shape, or a view or chroma that is not theirs.
        DataError: images on the CPU that were never brought into [0, 1].

    Examples:
        >>> import torch
        >>> import metaloss
        >>> ir, vi = torch.rand(2, 4, 1, 48, 64)
        >>> batch = metaloss.FusionBatch(sources=(ir, vi), target=torch.zeros(4, 48, 64, dtype=torch.int64))
        >>> len(batch)
        4
    """

    sources: tuple[Tensor, ...]
    target: Any = None
    fusion_view: tuple[Tensor, ...] | None = None
    chroma: Tensor | None = None
    names: Sequence[str] = ()
    order: Tensor | None = None

    def __post_init__(self) -> None:
        check_sources(self.sources)
        if {source.device.type for source in self.sources} == {"cpu"}:  # elsewhere each batch would wait for the device
            check_values(self.sources, ", ".join(filter(None, self.names[:3])))
        if self.fusion_view is not None:
            check_sources(self.fusion_view)
            if len(self.fusion_view) != len(self.sources):
                raise ShapeError(
                    f"fusion_view has {len(self.fusion_view)} sources and sources has {len(self.sources)}: "
                    "give one crop per source"
                )
            if self.fusion_view[0].shape[:2] != self.sources[0].shape[:2]:
                raise ShapeError(
                    f"fusion_view of shape {tuple(self.fusion_view[0].shape)} given with sources of shape "
                    f"{tuple(self.sources[0].shape)}: both show the same scenes, B and C are equal"
                )
        if self.chroma is not None and self.chroma.shape != (len(self), 2, *self.sources[0].shape[-2:]):
            raise ShapeError(
                f"chroma of shape {tuple(self.chroma.shape)} given with sources of shape "
                f"{tuple(self.sources[0].shape)}: expected (B, 2, H, W)"
            )

    def __len__(self) -> int:
        """The number of scenes B in the batch."""
        return self.sources[0].shape[0]

    @property
    def loss_view(self) -> tuple[Tensor, ...]:
        """The sources as the fusion loss sees them: ``fusion_view``, or else ``sources``."""
        return self.sources if self.fusion_view is None else self.fusion_view

    def to(self, *args: Any, **kwargs: Any) -> FusionBatch:
        """Moves every tensor, as ``Tensor.to`` does; a dtype is applied to images only.

        Returns:
            A new batch; this one is left as it is.
        """
        device, _, non_blocking, _ = torch._C._nn._parse_to(*args, **kwargs)

        def image(tensor: Tensor) -> Tensor:
            return tensor.to(*args, **kwargs)

        return replace(
            self,
            sources=tuple(map(image, self.sources)),
            target=_move(self.target, device, non_blocking) if device is not None else self.target,
            fusion_view=None if self.fusion_view is None else tuple(map(image, self.fusion_view)),
            chroma=None if self.chroma is None else image(self.chroma),
            order=self.order if self.order is None or device is None else self.order.to(device),
        )


def check_sources(sources: Sequence[Any]) -> None:
    """Checks that there are at least two sources and that they lie pixel on pixel.

    Args:
        sources: the tensors, each of shape (B, C, H, W).

    Raises:
        ShapeError: fewer than two, no tensors, not (B, C, H, W), not floating point, or not all of one shape.
    """
    if len(sources) < 2:
        raise ShapeError(f"{len(sources)} source given: image fusion needs at least two registered sources")
    first = sources[0]
    for number, source in enumerate(sources):
        if not isinstance(source, Tensor):
            kind = f"{type(source).__module__.partition('.')[0]}.{type(source).__name__}"
            raise ShapeError(
                f"source {number} is a {kind}: expected a tensor of shape (B, C, H, W), floating point in [0, 1]; "
                "metaloss.data.read_image(path)[None] reads one, torchvision's to_tensor(image)[None] makes one"
            )
        if source.ndim != 4:
            raise ShapeError(f"source {number} has shape {tuple(source.shape)}: expected (B, C, H, W)")
        if not source.is_floating_point():
            raise ShapeError(f"source {number} is {source.dtype}: expected floating point values in [0, 1]")
        if source.shape[1] != first.shape[1]:
            raise ShapeError(
                f"source {number} has {source.shape[1]} channels, source 0 has {first.shape[1]}: "
                "sources have the same; give a colour image as its luma, with the colour as chroma "
                "(metaloss.colour.rgb_to_ycbcr), and wrap a network of RGB images in "
                "metaloss.Adapted(network, channels=3)"
            )
        if source.shape != first.shape:
            raise ShapeError(
                f"source {number} has shape {tuple(source.shape)}, source 0 has {tuple(first.shape)}: "
                "registered sources have one shape; resize or register them first"
            )


def check_values(sources: Sequence[Tensor], name: str = "") -> None:
    """Checks that images were brought into [0, 1]; small excesses, of resizing say, pass.

    On a GPU it waits for each of them.

    Args:
        sources: tensors of any shape.
        name: of their scene.

    Raises:
        DataError: values far outside, 0 to 255 say.
    """
    for number, source in enumerate(sources):
        if isinstance(source, Tensor) and source.is_floating_point() and source.numel() and source.amax() > _FAR:
            raise out_of_range(f"{name}{': ' * bool(name)}source {number}", source)


def out_of_range(name: str, image: Tensor, fix: str = DIVIDE) -> DataError:
    """The error that tells of an image that was never brought into [0, 1]."""
    low, high = image.aminmax()
    return DataError(f"{name} has values from {low:g} to {high:g}: expected floats in [0, 1]; {fix}")


def _move(value: Any, device: torch.device, non_blocking: bool) -> Any:
    if isinstance(value, Tensor):
        return value.to(device, non_blocking=non_blocking)
    if isinstance(value, dict):
        return {key: _move(item, device, non_blocking) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        items = [_move(item, device, non_blocking) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    return value
