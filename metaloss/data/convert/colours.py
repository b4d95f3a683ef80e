"""Which colour stands for which class: a list in a file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from metaloss.data.texts import read_json, read_text, read_yaml
from metaloss.errors import DataError

Colour = int
"""Red, green and blue in one number: 0xRRGGBB."""

_FORM = "a line `R G B name`, `name R G B`, `#rrggbb name` or `name #rrggbb` per colour, or a json or yaml map"
_GAP = r"[\s,;:=]+"
_RGB = rf"(\d+){_GAP}(\d+){_GAP}(\d+)"
_HEX = r"#([0-9a-fA-F]{6})"
_LINES = [
    re.compile(rf"{_RGB}{_GAP}(?P<name>.*\S)"),
    re.compile(rf"(?P<name>\S.*?){_GAP}{_RGB}[\s,;:]*"),  # labelmap.txt has `name:r,g,b::`
    re.compile(rf"{_HEX}{_GAP}(?P<name>.*\S)"),
    re.compile(rf"(?P<name>\S.*?){_GAP}{_HEX}"),
]
_HEADERS = ({"name", "r", "g", "b"}, {"name", "red", "green", "blue"})
_NAME_KEYS = ("name", "label", "class")
_COLOUR_KEYS = ("color", "colour", "rgb")


def as_colour(red: int, green: int, blue: int) -> Colour:
    """Puts red, green and blue, each 0..255, into one number."""
    return red << 16 | green << 8 | blue


def channels(colour: Colour) -> tuple[int, int, int]:
    """Red, green and blue of a colour."""
    return colour >> 16, colour >> 8 & 255, colour & 255


def shown(colour: Colour) -> str:
    """A colour for messages, ``128 64 0 (#804000)`` say."""
    return f"{' '.join(map(str, channels(colour)))} (#{colour:06x})"


def nearest_colour(colour: Colour, known: Sequence[Colour]) -> Colour:
    """The known colour with the smallest Euclidean distance in red, green and blue; of several, the first."""
    return min(
        known, key=lambda other: sum((a - b) ** 2 for a, b in zip(channels(colour), channels(other), strict=True))
    )


def read_colours(path: Path) -> dict[Colour, str]:
    """Reads a list of colours.

    Args:
        path: a text with one line per colour, ``R G B name``, ``name R G B``, ``#rrggbb name`` or ``name #rrggbb``,
            separated by blanks, commas or colons, with ``#`` before comments; or a json or yaml file with a map of
            either to the other, or a list of entries of a name and a colour.

    Returns:
        The name of each colour, in the order of the file; several colours may have one name.

    Raises:
        DataError: the file cannot be read, a line cannot be understood, or a colour is there twice; both are named.
    """
    suffix = path.suffix.lower()
    if suffix == ".json":
        entries = _mapped(read_json(path, _FORM), path)
    elif suffix in (".yaml", ".yml"):
        entries = _mapped(read_yaml(path, _FORM), path)
    else:
        entries = _listed(path)
    found: dict[Colour, str] = {}
    for where, (red, green, blue), name in entries:
        if max(red, green, blue) > 255:
            raise DataError(f"{where}: colour {red} {green} {blue}; expected red, green and blue in 0..255")
        colour = as_colour(red, green, blue)
        if colour in found and found[colour] != name:
            raise DataError(
                f"{where}: colour {shown(colour)} is {found[colour]!r} already, and here {name!r}: keep one"
            )
        found[colour] = name
    if not found:
        raise DataError(f"{path}: lists no colour; expected {_FORM}")
    return found


def _listed(path: Path) -> Iterator[tuple[str, tuple[int, ...], str]]:
    for number, line in enumerate(read_text(path, _FORM).splitlines(), 1):
        text = line.strip()
        if not text or (text.startswith("#") and not re.match(_HEX, text)):
            continue
        if number == 1 and set(re.split(_GAP, text.lower())) in _HEADERS:
            continue
        where = f"{path}, line {number}"
        found = next((match for pattern in _LINES if (match := pattern.fullmatch(text))), None)
        if found is None:
            raise DataError(f"{where}: {text!r} is no colour with a name; expected {_FORM}")
        name = found["name"].strip("\"'")
        words = name.split()
        if not words or (len(words) > 1 and (words[0].isdigit() or words[-1].isdigit())) or name.isdigit():
            raise DataError(f"{where}: {text!r} has more than three numbers, or no name; expected {_FORM}")
        yield where, _numbers(found), name


def _numbers(found: re.Match[str]) -> tuple[int, ...]:
    digits = [group for place, group in enumerate(found.groups(), 1) if place != found.re.groupindex["name"]]
    return tuple(bytes.fromhex(digits[0])) if len(digits) == 1 else tuple(map(int, digits))


def _mapped(content: Any, path: Path) -> Iterator[tuple[str, tuple[int, ...], str]]:
    if isinstance(content, Mapping):
        pairs = list(content.items())
    elif isinstance(content, list) and all(isinstance(entry, Mapping) for entry in content):
        pairs = [(_first(entry, _NAME_KEYS), _first(entry, _COLOUR_KEYS)) for entry in content]
    else:
        raise DataError(f"{path}: a {type(content).__name__}; expected {_FORM}")
    for number, (key, value) in enumerate(pairs, 1):
        where = f"{path}, entry {number}"
        for name, colour in ((key, value), (value, key)):
            rgb = _rgb(colour)
            if rgb is not None and isinstance(name, str) and name.strip():
                yield where, rgb, name.strip()
                break
        else:
            raise DataError(f"{where}: {key!r}: {value!r} is no colour with a name; expected {_FORM}")


def _first(entry: Mapping[Any, Any], keys: Sequence[str]) -> Any:
    return next((entry[key] for key in keys if key in entry), None)


def _rgb(value: Any) -> tuple[int, ...] | None:
    """Red, green and blue of ``[r, g, b]``, ``"#rrggbb"`` or ``"r, g, b"``."""
    if isinstance(value, str):
        if found := re.fullmatch(_HEX, value.strip()):
            return tuple(bytes.fromhex(found[1]))
        found = re.fullmatch(rf"\D*{_RGB}\D*", value.strip())
        return tuple(map(int, found.groups())) if found else None
    if not isinstance(value, (list, tuple)) or len(value) != 3:
        return None
    parts = list(map(str, value))  # yaml's numbers are texts
    return tuple(map(int, parts)) if all(part.isdecimal() for part in parts) else None
