"""COCO's json: one file for all images, boxes as left, top, width, height in pixels."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from metaloss.data.annotations.annotation import Annotation, class_number
from metaloss.errors import DataError


def read_coco(path: Path, classes: Sequence[str] = ()) -> tuple[dict[str, Annotation], tuple[str, ...]]:
    """Reads one file; regions marked as crowds are left out.

    Args:
        path: the file.
        classes: the names in the order of their ids; empty: the file's categories in the order of theirs.

    Returns:
        The annotations by the stem of the image's file name, and the names of the classes.

    Raises:
        DataError: not such a file, or an entry that cannot be right; file and entry are named.
    """
    content = _load(path)
    categories = {entry["id"]: str(entry["name"]) for entry in content["categories"]}
    names = tuple(classes) or tuple(categories[number] for number in sorted(categories))
    numbers = {number: class_number(name, names, f"{path}, category {number}") for number, name in categories.items()}
    images = {entry["id"]: entry for entry in content["images"]}
    boxes: dict[Any, list[tuple[float, float, float, float]]] = {number: [] for number in images}
    labels: dict[Any, list[int]] = {number: [] for number in images}
    for place, entry in enumerate(content["annotations"]):
        if entry.get("iscrowd"):
            continue
        where = f"{path}, annotations[{place}] (id {entry.get('id', 'missing')})"
        for key, known in (("image_id", images), ("category_id", numbers)):
            if entry.get(key) not in known:
                raise DataError(f"{where}: {key} {entry.get(key)!r} is not listed in the file")
        boxes[entry["image_id"]].append(_box(entry.get("bbox"), where))
        labels[entry["image_id"]].append(numbers[entry["category_id"]])
    found: dict[str, Annotation] = {}
    for number, entry in images.items():
        stem = Path(str(entry["file_name"])).stem
        if stem in found:
            raise DataError(f"{path}: two images of the stem {stem!r}, and files are paired by stem: rename one")
        size = (entry.get("height"), entry.get("width"))
        known_size = (int(size[0]), int(size[1])) if size[0] and size[1] else None
        found[stem] = Annotation(path, tuple(boxes[number]), tuple(labels[number]), size=known_size)
    return found, names


def _load(path: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except json.JSONDecodeError as error:
        raise DataError(f"{path}, line {error.lineno}: cannot be read as json ({error.msg})") from error
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as text") from error
    if isinstance(content, Mapping):
        content = {"annotations": [], **content}
    for key, needed in (("images", ("id", "file_name")), ("categories", ("id", "name")), ("annotations", ())):
        entries = content.get(key) if isinstance(content, Mapping) else None
        if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
            raise DataError(f"{path}: no list {key!r} of entries; expected COCO's images, categories and annotations")
        for place, entry in enumerate(entries):
            missing = [name for name in needed if name not in entry]
            if missing:
                raise DataError(f"{path}, {key}[{place}]: no {missing[0]!r}")
    return content  # type: ignore[no-any-return]


def _box(box: Any, where: str) -> tuple[float, float, float, float]:
    numbers = isinstance(box, Sequence) and len(box) == 4 and all(isinstance(value, (int, float)) for value in box)
    if not numbers or not (box[2] >= 0 and box[3] >= 0):
        raise DataError(f"{where}: bbox {box}; expected left, top, width, height in pixels")
    left, top, width, height = box
    return left, top, left + width, top + height
