"""COCO's json: one file for all images, boxes as left, top, width, height in pixels."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path, PureWindowsPath
from typing import Any

from metaloss.data.annotations.annotation import Annotation
from metaloss.data.annotations.complaints import Complaints
from metaloss.data.annotations.labelme import LABELME, is_labelme
from metaloss.data.annotations.vanishing import Box
from metaloss.data.class_choice import NO_CLASS, ClassChoice
from metaloss.data.texts import read_json
from metaloss.errors import DataError

Id = int | str
_EXPECTED = "COCO's images, categories and annotations"
_SHOWN = 80  # characters of a strange value


def read_coco(
    path: Path, classes: Sequence[str] = (), *, choice: ClassChoice | None = None
) -> tuple[dict[str, Annotation], tuple[str, ...]]:
    """Reads one file; regions marked as crowds are left out.

    Categories without annotations are passed over where ``classes`` does not name them; so is a first category of
    Roboflow's, which is the name of all others together.

    Args:
        path: the file.
        classes: the names in the order of their ids; empty: the file's categories in the order of theirs.
        choice: the same, and what becomes of the other classes; default: all of ``classes``, and no other.

    Returns:
        The annotations by the stem of the image's file name, and the names of the classes.

    Raises:
        DataError: not such a file, or an entry that cannot be right; file and entry are named.
    """
    content = _load(path)
    entries = _by_id(content, "categories", path)
    categories = {number: str(entry["name"]) for number, entry in entries.items()}
    if len({type(number) for number in categories}) > 1:
        raise DataError(f"{path}, categories: ids {', '.join(map(repr, categories))}: expected numbers alone, or texts")
    choice = choice or ClassChoice(tuple(classes))
    regions = [(place, entry) for place, entry in enumerate(content["annotations"]) if not entry.get("iscrowd")]
    used = Counter(number for _, entry in regions if (number := _id_of(entry.get("category_id"))) is not None)
    names = choice.names or tuple(categories[number] for number in _own(entries, used))
    choice = choice if choice.names else ClassChoice(names)
    numbers = {
        number: choice.of_name(name, f"{path}, category {number}") if used[number] else None
        for number, name in categories.items()
    }
    images = _by_id(content, "images", path)
    boxes: dict[Id, list[Box]] = {number: [] for number in images}
    labels: dict[Id, list[int]] = {number: [] for number in images}
    left_out: dict[Id, list[str]] = {number: [] for number in images}
    complaints = Complaints()
    for place, entry in regions:
        where = f"{path}, annotations[{place}] (id {entry.get('id', 'missing')})"
        with complaints.about(f"annotations[{place}]"):
            image = _known_id(entry, "image_id", images, where)
            category = _known_id(entry, "category_id", numbers, where)
            box, number = _box(entry.get("bbox"), where), numbers[category]
            if number is None or number == NO_CLASS:
                left_out[image].append(categories[category])
            else:
                boxes[image].append(box)
                labels[image].append(number)
    complaints.end("entry", "entries")
    found: dict[str, Annotation] = {}
    for place, (image, entry) in enumerate(images.items()):
        stem = PureWindowsPath(str(entry["file_name"])).stem  # takes both kinds of slashes
        if stem in found:
            raise DataError(f"{path}: two images of the stem {stem!r}, and files are paired by stem: rename one")
        found[stem] = Annotation(
            path,
            tuple(boxes[image]),
            tuple(labels[image]),
            size=_size(entry, f"{path}, images[{place}] (id {image})"),
            place=f"image {stem!r}",
            form="sides",
            left_out=tuple(left_out[image]),
        )
    return found, names


def _own(categories: Mapping[Id, Mapping[str, Any]], used: Mapping[Id, int]) -> list[Id]:
    """The ids of a file's categories, in order, but for Roboflow's name of all together."""
    numbers: list[Id] = sorted(categories)
    if len(numbers) < 2:
        return numbers
    first = categories[numbers[0]]
    others = {entry.get("supercategory", first.get("name")) for entry in categories.values() if entry is not first}
    is_all = first.get("supercategory") == "none" and others == {first["name"]} and not used.get(numbers[0])
    return numbers[1:] if is_all else numbers


def _by_id(content: Mapping[str, Any], key: str, path: Path) -> dict[Id, Mapping[str, Any]]:
    found: dict[Id, Mapping[str, Any]] = {}
    for place, entry in enumerate(content[key]):
        number = _id_of(entry["id"])
        if number is None:
            raise DataError(f"{path}, {key}[{place}]: id {_shown(entry['id'])}; expected a number or a text")
        if number in found:
            raise DataError(f"{path}, {key}[{place}]: id {number!r} is taken by another entry; expected one id each")
        found[number] = entry
    return found


def _id_of(value: Any) -> Id | None:
    """An id, where a value is one: a text, or a whole number, which some programs write as 1.0."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, (int, str)) and not isinstance(value, bool) else None


def _known_id(entry: Mapping[str, Any], key: str, known: Mapping[Id, Any], where: str) -> Id:
    number = _id_of(entry.get(key))
    if number is None or number not in known:
        raise DataError(f"{where}: {key} {_shown(entry.get(key))} is not listed in the file")
    return number


def _size(entry: Mapping[str, Any], where: str) -> tuple[int, int] | None:
    height, width = (entry.get(side) or 0 for side in ("height", "width"))
    for side, value in (("height", height), ("width", width)):
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0 or not _finite(value):
            raise DataError(f"{where}: {side} {_shown(value)}; expected a number of pixels")
    return (int(height), int(width)) if height and width else None


def _finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond all floats
        return False


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]} ..."


def _load(path: Path) -> Mapping[str, Any]:
    content = read_json(path, _EXPECTED)
    if is_labelme(content):
        raise DataError(f"{path}: {LABELME}")
    if isinstance(content, Mapping):
        content = {"annotations": [], **content}
    for key, needed in (("images", ("id", "file_name")), ("categories", ("id", "name")), ("annotations", ())):
        entries = content.get(key) if isinstance(content, Mapping) else None
        if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
            raise DataError(f"{path}: no list {key!r} of entries; expected {_EXPECTED}")
        for place, entry in enumerate(entries):
            missing = [name for name in needed if name not in entry]
            if missing:
                raise DataError(f"{path}, {key}[{place}]: no {missing[0]!r}")
    return content  # type: ignore[no-any-return]


def _box(box: Any, where: str) -> Box:
    given = list(box) if isinstance(box, list) and len(box) == 4 else []
    numbers = all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in given)
    if not given or not numbers or not all(map(_finite, given)) or min(given[2:]) < 0:
        raise DataError(f"{where}: bbox {_shown(box)}; expected left, top, width, height in pixels")
    left, top, width, height = box
    return left, top, left + width, top + height
