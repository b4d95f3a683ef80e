"""Image files to tensors and back; Pillow does the work, OpenCV where Pillow would lose bits."""

from __future__ import annotations

import io
import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from metaloss.data.formats import FORMATS
from metaloss.data.metadata import NONE, Metadata
from metaloss.data.ranges import Numbers, Range, source_range
from metaloss.errors import ConfigError, DataError, ShapeError, nearest
from metaloss.runtime.files import partial_name

if TYPE_CHECKING:
    from PIL.Image import Image

Channels: TypeAlias = Literal["rgb", "alpha"]
_TIFF_BITS_PER_SAMPLE = 258
_WITH_FOURTH = ("RGBA", "RGBX", "LA", "PA")
_LEVELS = 16  # a mask, and its soft edges, have fewer numbers or lie at the ends of the scale
_TOLD: set[Path] = set()  # folders whose fourth channel was spoken of
_TOLD_OF_PAGES: set[Path] = set()
_STRANGE_TIFF = (
    " (of TIFF, floating point is read of 32 bits in one channel, and whole numbers of at most 32: save it so, or with "
    "8 or 16 bits)"
)


def read_image(path: str | os.PathLike[str], *, channels: Channels | None = None, range: Range = "full") -> Tensor:
    """Reads an image file of 8 or 16 bits per channel, or of one floating point channel.

    Palette images become colour, transparency is dropped, the camera's orientation mark is applied,
    and a colour file whose three channels are equal everywhere is returned as grey.

    Args:
        path: a PNG, TIFF, JPEG or BMP file.
        channels: of a file whose fourth channel is an image of its own, ``"rgb"`` or ``"alpha"``, the fourth; of one
            without colour, its grey or the second. ``None``: as ``"rgb"``, with a warning, once for each folder,
            where the fourth looks like an image and not like transparency.
        range: which of the file's numbers become 0 and 1, see :mod:`metaloss.data.ranges`; ``"full"``: 0 and the
            largest of the file's bit depth, of floating point 0 and 1.

    Returns:
        Of shape (C, H, W), float32 in [0, 1]; C is 1 (grey) or 3 (red, green, blue).

    Raises:
        DataError: the file is missing, not an image, truncated, without that channel, or of a depth that cannot be
            read by this range.
        ConfigError: ``range`` is none.
    """
    scaled = torch.from_numpy(source_range(range).scale(read_numbers(path, channels)))
    return scaled[None] if scaled.ndim == 2 else scaled.permute(2, 0, 1).contiguous()


def read_numbers(path: str | os.PathLike[str], channels: Channels | None = None) -> Numbers:
    """Reads an image file without scaling it.

    Args:
        path: as for :func:`read_image`.
        channels: as for :func:`read_image`.

    Raises:
        DataError: as :func:`read_image`; or floating point numbers that are not finite.
    """
    path = Path(path)
    image, bits = _load(path)
    if channels == "alpha":
        fourth = _fourth(path, image, bits)
        return Numbers(path, fourth, 8 * fourth.dtype.itemsize)
    if image.mode == "F":
        values = np.array(image, dtype=np.float32)
        if not np.isfinite(values).all():
            raise DataError(f"{path}: pixels that are NaN or infinite; fill them, or leave the file out of the split")
        return Numbers(path, values, bits)
    if channels is None and image.mode in _WITH_FOURTH and path.parent not in _TOLD:
        _warn_of_image(path, _fourth(path, image, bits))
    if image.mode.startswith("I"):
        return Numbers(path, np.array(image), bits)
    if bits == 16:
        raw = _decode_deep_colour(path)
    else:
        bits = 8
        if image.mode in ("1", "L", "LA"):
            raw = np.array(image.convert("L"))
        else:
            # By way of RGBA: the direct way warns about palettes with transparency.
            via = image.convert("RGBA") if image.mode in ("P", "PA") else image
            raw = np.array(via.convert("RGB"))
    if raw.ndim == 3 and _is_grey(raw):
        raw = raw[..., 0]
    return Numbers(path, raw, bits)


def read_ids(path: str | os.PathLike[str]) -> Tensor:
    """Reads a label image whose pixels are class ids.

    Args:
        path: a PNG, TIFF or BMP file: grey values or palette indices, taken as they are, or a
            colour file whose three channels are equal.

    Returns:
        Of shape (H, W), int64.

    Raises:
        DataError: the file is missing or unreadable, or holds colours or fractions and not ids.
    """
    path = Path(path)
    image, bits = _load(path)
    if image.format == "JPEG":
        raise DataError(f"{path}: JPEG compression changes class ids; save the label as PNG")
    if image.mode == "F":
        raise DataError(f"{path}: floating point pixels; class ids are expected, as integers in one channel")
    if bits == 16 and not image.mode.startswith("I"):
        ids = _decode_deep_colour(path)
    else:
        ids = np.array(image.getchannel(0) if image.mode in ("LA", "PA") else image)
    if ids.ndim == 3:
        if ids.shape[-1] < 3 or not _is_grey(ids):
            raise DataError(
                f"{path}: a {image.mode} label; class ids are expected in one channel (grey or palette): "
                "`metaloss data convert IN OUT --colours auto` makes ids of its colours"
            )
        ids = ids[..., 0]
    ids = ids.astype(np.int64)
    if image.mode == "L" and bits < 8:
        # Pillow stretches grey of 2 or 4 bits to the full range of 8.
        ids //= 255 // (2**bits - 1)
    return torch.from_numpy(ids)


def read_metadata(path: str | os.PathLike[str]) -> Metadata:
    """Reads what an image file holds beside its pixels.

    Args:
        path: as for :func:`read_image`.

    Returns:
        The metadata; the camera's orientation mark is left out, as :func:`read_image` has applied it.

    Raises:
        DataError: as :func:`read_image`.
    """
    image, bits = _load(Path(path))
    return Metadata.of(image, bits=8 if bits <= 8 else 16)


def pixels_of(path: str | os.PathLike[str]) -> int:
    """How many pixels an image file says it has; 0 where that cannot be read."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            return int(image.width * image.height)
    except Exception:  # of a damaged file nearly any; whoever reads it says so
        return 0


def write_image(path: str | os.PathLike[str], image: Tensor, bits: int = 8, *, metadata: Metadata = NONE) -> None:
    """Writes an image; the format follows the suffix, and the file is never half there.

    Args:
        path: ends in .png, .tif, .tiff, .jpg, .jpeg or .bmp; missing folders are made.
        image: of shape (C, H, W), C 1 or 3, floating point; rounded, and clamped to [0, 1].
        bits: per channel, 8 or 16; 16 needs PNG or TIFF.
        metadata: written into PNG, TIFF and JPEG as far as the format has a place for it (16-bit colour
            TIFF and BMP: none of it); ``bits`` in it is not used.

    Raises:
        ShapeError: ``image`` is not (1, H, W) or (3, H, W).
        ConfigError: the suffix is unknown, or the format does not hold that many bits.
        DataError: a value is not finite, or the file cannot be written.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise ConfigError(f"{path}: unknown image suffix {suffix!r}; give one of {', '.join(FORMATS)}")
    if bits not in (8, 16) or (bits == 16 and FORMATS[suffix] not in ("PNG", "TIFF")):
        raise ConfigError(f"{path}: {bits} bits asked for; PNG and TIFF hold 8 or 16, the others 8")
    if image.ndim != 3 or image.shape[0] not in (1, 3):
        raise ShapeError(f"{path}: image of shape {tuple(image.shape)}; expected (1, H, W) or (3, H, W)")
    values = image.detach().to("cpu", torch.float32)
    if not values.isfinite().all():
        raise DataError(f"{path}: the image to write holds NaN or infinite values; nothing was written")
    levels = values.clamp(0, 1).mul(2**bits - 1).round().permute(1, 2, 0).numpy()
    pixels = levels.astype(np.uint8 if bits == 8 else np.uint16)
    encoded = _encode(path, pixels[..., 0] if pixels.shape[-1] == 1 else pixels, metadata)
    beside = path.with_name(partial_name(path.name))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(encoded)
        os.replace(beside, path)
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({_reason(error)}); check the folder and its rights") from error
    finally:
        if beside.parent.is_dir():
            beside.unlink(missing_ok=True)


def _load(path: Path) -> tuple[Image, int]:
    """Decodes a file to the end; gives the picture and the bits per channel in the file."""
    from PIL import Image, ImageOps

    if not path.exists():
        siblings = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
        raise DataError(f"{path}: no such file{nearest(path.name, siblings)}")
    if path.is_dir():
        raise DataError(f"{path}: is a folder; an image file is expected")
    # Damaged files make Pillow raise nearly anything (OSError, SyntaxError, struct.error ...).
    try:
        with Image.open(path) as image:
            bits = _bits_per_channel(path, image)
            pages = getattr(image, "n_frames", 1) if image.format == "TIFF" else 1
            image.load()
            ImageOps.exif_transpose(image, in_place=True)
    except Exception as error:
        kind = _STRANGE_TIFF if _begins_as_tiff(path) else ""
        raise DataError(
            f"{path}: cannot be read as an image ({_reason(error)}); the file is damaged, cut short or of another "
            f"kind{kind}: copy or export it again, or leave it out of the split"
        ) from error
    if pages > 1 and path.parent not in _TOLD_OF_PAGES:
        _TOLD_OF_PAGES.add(path.parent)
        warnings.warn(
            f"{path}: holds {pages} images, of which the first is read: save the one that is meant as a file apart",
            stacklevel=4,
        )
    return image, bits


def _begins_as_tiff(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(4) in (b"II*\0", b"MM\0*")
    except OSError:
        return False


def _bits_per_channel(path: Path, image: Image) -> int:
    if image.format == "PNG":
        with path.open("rb") as file:
            return file.read(25)[24]
    if image.format == "TIFF":
        bits = getattr(image, "tag_v2", {}).get(_TIFF_BITS_PER_SAMPLE, 1)
        return int(max(bits) if isinstance(bits, tuple) else bits)
    return 8


def _decode_deep_colour(path: Path) -> NDArray[Any]:
    """Decodes 16 bits per channel, (H, W, 3) in red, green, blue: Pillow would keep 8 of them."""
    cv2 = _opencv(path)
    pixels = cv2.imdecode(np.fromfile(path, dtype=np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    if pixels is None or pixels.dtype != np.uint16:
        raise DataError(f"{path}: OpenCV cannot read this 16-bit colour file; save it as PNG, or with 8 bits")
    return np.ascontiguousarray(pixels[..., ::-1])


def _fourth(path: Path, image: Image, bits: int) -> NDArray[Any]:
    """The last channel of a file that has colour, or grey, and one more; (H, W)."""
    if image.mode not in _WITH_FOURTH:
        raise DataError(
            f"{path}: {image.mode} pixels, and ':alpha' is the channel that follows colour or grey: name the source "
            "without it"
        )
    if bits < 16:
        return np.array(image.getchannel(len(image.getbands()) - 1))
    cv2 = _opencv(path)
    pixels = cv2.imdecode(np.fromfile(path, dtype=np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16 or pixels.ndim != 3 or pixels.shape[-1] != 4:
        raise DataError(f"{path}: OpenCV cannot read the fourth channel of this 16-bit file; save it as a file apart")
    return np.ascontiguousarray(pixels[..., 3])


def _warn_of_image(path: Path, fourth: NDArray[Any]) -> None:
    some = fourth.ravel()[:: max(1, fourth.size // 2**16)]
    ends = (some == 0) | (some == np.iinfo(some.dtype).max)
    if ends.mean() < 0.5 and len(np.unique(some)) > _LEVELS:
        _TOLD.add(path.parent)
        name = path.parent.name
        warnings.warn(
            f"{path}: its fourth channel, with values from {some.min()} to {some.max()}, looks like an image and not "
            f"like transparency, and is left out: name the sources '{name}:rgb' and '{name}:alpha' to take both, or "
            f"'{name}:rgb' to take colour alone (read_image(..., channels='alpha') in Python)",
            stacklevel=4,
        )


def _encode(path: Path, pixels: NDArray[Any], metadata: Metadata) -> bytes:
    from PIL import Image

    kind = FORMATS[path.suffix.lower()]
    if pixels.dtype == np.uint16 and pixels.ndim == 3:
        _, encoded = _opencv(path).imencode(path.suffix.lower(), np.ascontiguousarray(pixels[..., ::-1]))
        return metadata.spliced(bytes(encoded)) if kind == "PNG" else bytes(encoded)
    buffer = io.BytesIO()
    options = {"quality": 95, "subsampling": 0} if kind == "JPEG" else {}
    Image.fromarray(pixels).save(buffer, kind, **options, **metadata.options(kind, colour=pixels.ndim == 3))
    return buffer.getvalue()


def _opencv(path: Path) -> Any:
    try:
        import cv2
    except ImportError as error:
        raise DataError(
            f"{path}: colour with 16 bits per channel needs OpenCV: pip install opencv-python, or use 8 bits"
        ) from error
    return cv2


def _is_grey(pixels: NDArray[Any]) -> bool:
    red = pixels[..., 0]
    return bool((red == pixels[..., 1]).all() and (red == pixels[..., 2]).all())


def _reason(error: Exception) -> str:
    """The error's text in one line, without the path that the message already names."""
    text = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    return " ".join(text.split())
