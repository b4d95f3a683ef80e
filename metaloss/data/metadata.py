"""What an image file holds beside its pixels: EXIF, resolution, colour profile, text."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_OF_PIXELS = (b"IHDR", b"IDAT", b"IEND")
_PROFILE_SPACE = slice(16, 20)


@dataclass(frozen=True)
class Metadata:
    """Metadata of one file, or of several that were merged.

    Attributes:
        bits: per channel, 8 or 16.
        exif: the EXIF block, or nothing.
        profile: the ICC colour profile, or nothing.
        dpi: horizontal and vertical resolution in dots per inch, or nothing.
        text: PNG text by keyword.
    """

    bits: int = 8
    exif: bytes = b""
    profile: bytes = b""
    dpi: tuple[float, float] | None = None
    text: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, image: Image, bits: int) -> Metadata:
        """Takes the metadata of a picture that Pillow has loaded."""
        dpi = image.info.get("dpi")
        return cls(
            bits=bits,
            exif=image.getexif().tobytes() if len(image.getexif()) else b"",
            profile=image.info.get("icc_profile") or b"",
            dpi=(float(dpi[0]), float(dpi[1])) if dpi and min(dpi) > 0 else None,
            text={key: str(value) for key, value in getattr(image, "text", {}).items()},
        )

    def options(self, kind: str, *, colour: bool) -> dict[str, Any]:
        """Gives the arguments of Pillow's ``save``.

        Args:
            kind: Pillow's name of the format.
            colour: whether the picture to save has three channels; a profile for another number is left out.
        """
        if kind == "BMP":
            return {}
        options: dict[str, Any] = {}
        if self.exif:
            options["exif"] = self.exif
        if self.profile[_PROFILE_SPACE] == (b"RGB " if colour else b"GRAY"):
            options["icc_profile"] = self.profile
        if self.dpi:
            options["dpi"] = self.dpi
        if self.text and kind == "PNG":
            from PIL.PngImagePlugin import PngInfo

            options["pnginfo"] = PngInfo()
            for key, value in self.text.items():
                options["pnginfo"].add_itxt(key, value)
        return options

    def spliced(self, png: bytes) -> bytes:
        """Puts the metadata into a PNG file of colour that another writer than Pillow has encoded."""
        from PIL import Image

        buffer = io.BytesIO()
        Image.new("RGB", (1, 1)).save(buffer, "PNG", **self.options("PNG", colour=True))
        extra = b"".join(chunk for kind, chunk in _chunks(buffer.getvalue()) if kind not in _OF_PIXELS)
        parts = [chunk + extra if kind == b"IHDR" else chunk for kind, chunk in _chunks(png)]
        return _SIGNATURE + b"".join(parts)


NONE = Metadata()


def merged(all_metadata: Sequence[Metadata]) -> Metadata:
    """Merges the sources' metadata: of each kind the first that is there, of depths the largest.

    A profile for colour counts before one for grey.

    Args:
        all_metadata: of each source, in their order.
    """
    profiles = sorted((one.profile for one in all_metadata if one.profile), key=lambda p: p[_PROFILE_SPACE] != b"RGB ")
    text: dict[str, str] = {}
    for one in all_metadata:
        text = one.text | text
    return Metadata(
        bits=max(one.bits for one in all_metadata),
        exif=next((one.exif for one in all_metadata if one.exif), b""),
        profile=profiles[0] if profiles else b"",
        dpi=next((one.dpi for one in all_metadata if one.dpi), None),
        text=text,
    )


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = len(_SIGNATURE)
    while place < len(png):
        end = place + 12 + struct.unpack_from(">I", png, place)[0]
        yield png[place + 4 : place + 8], png[place:end]
        place = end
