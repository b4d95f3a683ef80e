"""What kind of labels a folder holds, by their content, and which files they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from metaloss.data.formats import FORMATS
from metaloss.data.texts import read_json, read_text
from metaloss.errors import DataError, nearest

Kind = Literal["colours", "ids", "labelme", "yolo", "voc", "coco"]
SPOKEN: dict[Kind, str] = {
    "colours": "colour-coded masks",
    "ids": "masks of class ids",
    "labelme": "LabelMe json",
    "yolo": "YOLO txt",
    "voc": "Pascal VOC xml",
    "coco": "COCO json",
}
_SUFFIXES: dict[Kind, tuple[str, ...]] = {
    "colours": tuple(FORMATS),
    "ids": tuple(FORMATS),
    "labelme": (".json",),
    "yolo": (".txt",),
    "voc": (".xml",),
    "coco": (".json",),
}
_LISTS = {"classes.txt", "labels.txt", "colours.txt", "train.txt", "val.txt", "test.txt"}  # beside labels, not labels
_BOX = 5  # numbers of YOLO's shortest line
_SHOWN = 3


@dataclass(frozen=True)
class Source:
    """Label files of one kind.

    Attributes:
        path: what was given: a folder, or one file.
        kind: of the labels.
        files: with distinct stems, in the order of their names.
        pictures: the images that lie beside labels that are none themselves, by stem.
        other: the names of all other files in the folder.
    """

    path: Path
    kind: Kind
    files: tuple[Path, ...]
    pictures: dict[str, Path]
    other: tuple[str, ...]


def find_labels(path: Path, kind: str = "auto") -> Source:
    """Finds the label files of a folder; its subfolders are not searched.

    Args:
        path: a folder, or one label file.
        kind: of the labels, or ``"auto"``: by the content of what lies there. Images beside json, xml or txt labels
            are taken for what was labelled.

    Returns:
        At least one file.

    Raises:
        DataError: no such folder, no labels in it, labels of several kinds, or two files of one stem.
    """
    if not path.exists():
        siblings = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
        raise DataError(f"{path}: no such file or folder{nearest(path.name, siblings)}")
    entries = sorted(path.iterdir()) if path.is_dir() else [path]
    files = [entry for entry in entries if entry.is_file() and not entry.name.startswith(".")]
    found = [kind] if kind != "auto" else _kinds(files)
    if len(found) > 1:
        raise DataError(f"{path}: labels of several kinds, {', '.join(found)}: say which one with --from")
    if not found:
        raise DataError(f"{path}: {_nothing(entries)}")
    chosen: Any = found[0]
    labels = [file for file in files if file.suffix.lower() in _SUFFIXES[chosen] and file.name not in _LISTS]
    if not labels:
        raise DataError(f"{path}: no {SPOKEN[chosen]} in it ({', '.join(_SUFFIXES[chosen])})")
    if chosen == "coco" and len(labels) > 1:
        raise DataError(f"{path}: {len(labels)} json files, {_names(labels)}: give one of them")
    stems: dict[str, Path] = {}
    for file in labels:
        if file.stem in stems:
            raise DataError(f"{path}: {stems[file.stem].name} and {file.name} have one stem: keep one of them")
        stems[file.stem] = file
    rest = [file for file in files if stems.get(file.stem) != file]
    pictures = {file.stem: file for file in rest if file.suffix.lower() in FORMATS}
    other = tuple(file.name for file in rest if file.suffix.lower() not in FORMATS and file.name not in _LISTS)
    return Source(path, chosen, tuple(labels), pictures, other)


def _kinds(files: Sequence[Path]) -> list[Kind]:
    """The kinds that lie there: masks only where nothing else does."""
    found: list[Kind] = []
    for suffix, kind_of in ((".json", _kind_of_json), (".txt", _kind_of_text)):
        candidates = [file for file in files if file.suffix.lower() == suffix and file.name not in _LISTS]
        kinds = (kind_of(file) for file in candidates)
        kind = next((kind for kind in kinds if kind is not None), None)
        if kind is not None:
            found.append(kind)
    if any(file.suffix.lower() == ".xml" for file in files):
        found.append("voc")
    if not found and any(file.suffix.lower() in FORMATS for file in files):
        found.append("ids")  # or colours: what is in them says the rest
    if not found and files and all(file.suffix.lower() == ".txt" and not file.stat().st_size for file in files):
        found.append("yolo")  # images without objects
    return found


def _kind_of_json(path: Path) -> Kind | None:
    content = read_json(path, "LabelMe's or COCO's json")
    if not isinstance(content, dict):
        return None
    if isinstance(content.get("shapes"), list):
        return "labelme"
    return "coco" if isinstance(content.get("images"), list) else None


def _kind_of_text(path: Path) -> Kind | None:
    """YOLO's, where the first line that is not empty is numbers and begins with a whole one."""
    for line in read_text(path, "YOLO's lines").splitlines():
        if words := line.split():
            return "yolo" if len(words) >= _BOX and _begins_whole(words) else None
    return None


def _nothing(entries: Sequence[Path]) -> str:
    folders = [entry.name for entry in entries if entry.is_dir() and not entry.name.startswith(".")]
    files = [entry for entry in entries if entry.is_file()]
    if folders:
        return f"no labels in it, but the folders {', '.join(folders[:_SHOWN])}: give one of them"
    kinds = "masks, or LabelMe, COCO, Pascal VOC or YOLO labels"
    return f"no labels among {_names(files)}; expected {kinds}" if files else f"is empty; expected {kinds}"


def _names(files: Sequence[Path]) -> str:
    return ", ".join(file.name for file in files[:_SHOWN]) + (" ..." if len(files) > _SHOWN else "")


def _begins_whole(words: Sequence[str]) -> bool:
    try:
        first, *_ = map(float, words)
    except ValueError:
        return False
    return first.is_integer()
