"""Sizes of the images that labels belong to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from metaloss.errors import DataError

Size = tuple[int, int]
_ORIENTATION = 0x0112
_TURNED = 5  # and all marks above: height and width change places
_SHOWN = 3


def image_sizes(stems: Sequence[str], pictures: Mapping[str, Path], where: Path) -> dict[str, Size]:
    """Reads the sizes of images, without their pixels.

    Args:
        stems: of the images.
        pictures: files by stem.
        where: the folder that they are in, for messages.

    Returns:
        (H, W) by stem, as they are seen: the camera's orientation mark is applied.

    Raises:
        DataError: an image is missing, or is none.
    """
    missing = [stem for stem in stems if stem not in pictures]
    if missing:
        more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
        raise DataError(
            f"{where} has no image for the labels {', '.join(missing[:_SHOWN])}{more}: they are found by stem"
        )
    return {stem: image_size(pictures[stem]) for stem in stems}


def image_size(path: Path) -> Size:
    """Reads the size of one image.

    Args:
        path: the file.

    Returns:
        (H, W), with the camera's orientation mark applied.

    Raises:
        DataError: no image.
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            width, height = image.size
            turned = int(image.getexif().get(_ORIENTATION, 1)) >= _TURNED
    except Exception as error:  # damaged files make Pillow raise nearly anything
        raise DataError(f"{path}: cannot be read as an image ({type(error).__name__})") from None
    return (width, height) if turned else (height, width)


def known_size(file: Path, stated: Size | None, found: Size | None) -> Size:
    """The size of an image, by its label and by itself.

    Args:
        file: the label.
        stated: as it says, or ``None``.
        found: the image's own, or ``None`` where it was not looked at.

    Raises:
        DataError: they differ, or there is neither.
    """
    if stated is None and found is None:
        raise DataError(f"{file}: does not say the size of its image: give the images' folder as --images")
    if stated is not None and found is not None and stated != found:
        raise DataError(
            f"{file}: written for an image of {stated[1]}x{stated[0]} pixels (width x height), and the image has "
            f"{found[1]}x{found[0]}: label the image that is there, or resize it back"
        )
    return stated or found  # type: ignore[return-value]
