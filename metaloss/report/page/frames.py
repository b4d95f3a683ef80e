"""Pictures through the epochs, small enough for a page."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

FRAMES = 25  # at most, of a run
_WIDTH = 320  # of a panel, at most
_SMALL = 128 * 128  # pixels up to which a panel is kept without loss
_QUALITY = 88


@dataclass(frozen=True)
class Panel:
    """One of the pictures beside each other.

    Attributes:
        title: what it shows.
        source: which source it is of, by number; ``None`` for the fused image.
        frames: a data URI by epoch; the sources have one.
    """

    title: str
    source: int | None
    frames: dict[int, str]


def thinned(epochs: Iterable[int], count: int = FRAMES) -> list[int]:
    """Chooses epochs, evenly spread, the first and the last among them."""
    found = sorted(set(epochs))
    if len(found) <= count:
        return found
    return [found[round(place * (len(found) - 1) / (count - 1))] for place in range(count)]


def panels_of(strips: dict[int, Path], epochs: Sequence[int], sources: Sequence[str]) -> list[Panel]:
    """Cuts a scene's strips into its pictures.

    Args:
        strips: by epoch the file of sources, fused image and weight maps side by side.
        epochs: which to show; of a scene that has none of them, its last.
        sources: n names.

    Returns:
        n sources, the fused image, and n weight maps.

    Raises:
        ValueError: a file is no picture, or none of 2n + 1 panels.
    """
    titles = [*sources, "fused", *(f"weight of {name}" for name in sources)]
    numbers = [*range(len(sources)), None, *range(len(sources))]
    frames: list[dict[int, str]] = [{} for _ in titles]
    for epoch in [epoch for epoch in epochs if epoch in strips] or [max(strips)]:
        parts = _cut(strips[epoch], len(titles))
        for number, part in enumerate(parts):
            if number >= len(sources) or not frames[number]:  # the sources are the same in every epoch
                frames[number][epoch] = _uri(part)
    return [Panel(*each) for each in zip(titles, numbers, frames, strict=True)]


def _cut(path: Path, count: int) -> list[Image.Image]:
    """The panels of a strip."""
    try:
        with Image.open(path) as file:
            strip = file.convert("RGB")
    except Exception as error:  # of a damaged file nearly any, and other packages change what PIL raises
        raise ValueError(f"{path.name} is no picture, or damaged ({type(error).__name__})") from None
    width, left = divmod(strip.width, count)
    if left or not width:
        raise ValueError(f"{path.name} is {strip.width} pixels wide: no row of {count} pictures")
    return [strip.crop((number * width, 0, (number + 1) * width, strip.height)) for number in range(count)]


def _uri(image: Image.Image) -> str:
    """A picture as a data URI: without loss where it is small, else as a JPEG of moderate width."""
    if image.width > _WIDTH:
        size = (_WIDTH, max(1, round(image.height * _WIDTH / image.width)))
        image = image.resize(size, Image.Resampling.LANCZOS)
    kind = "png" if image.width * image.height <= _SMALL else "jpeg"
    options = {"optimize": True} if kind == "png" else {"quality": _QUALITY, "subsampling": 0, "optimize": True}
    buffer = io.BytesIO()
    image.save(buffer, format=kind, **options)
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def picture(path: Path, width: int) -> tuple[str, tuple[int, int]]:
    """A whole picture, the doctor's maps say, at most so wide.

    Returns:
        Its data URI, and its size.

    Raises:
        ValueError: it is none.
    """
    [image] = _cut(path, 1)
    if image.width > width:
        image = image.resize((width, max(1, round(image.height * width / image.width))), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, format="jpeg", quality=_QUALITY, subsampling=0, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}", image.size
