"""Which label format lies in a folder, and the annotations of a list of images."""

from __future__ import annotations

from collections.abc import Container, Sequence
from pathlib import Path
from typing import Literal, get_args

from metaloss.data.annotations.annotation import Annotation
from metaloss.data.annotations.coco import read_coco
from metaloss.data.annotations.voc import read_voc
from metaloss.data.annotations.yolo import read_yolo
from metaloss.data.images import FORMATS
from metaloss.errors import ConfigError, DataError, nearest

Format = Literal["ids", "yolo", "voc", "coco"]
_SUFFIXES: dict[str, Format] = {".txt": "yolo", ".xml": "voc", ".json": "coco", **dict.fromkeys(FORMATS, "ids")}
_NO_LABELS = {"classes.txt", "colours.txt", "labels.txt"}  # lists that programs leave beside the labels
_SHOWN = 3


def detect_format(path: Path, labels: str = "auto") -> Format:
    """Says which format the labels have: as told, or by the suffixes of what lies there.

    Args:
        path: the labels' folder, or COCO's file.
        labels: a format, or ``"auto"``.

    Raises:
        ConfigError: no such format.
        DataError: nothing there to go by, or files of several formats.
    """
    known = get_args(Format)
    if labels in known:
        return labels  # type: ignore[return-value]
    if labels != "auto":
        raise ConfigError(f"labels={labels!r}: give 'auto', {', '.join(map(repr, known))}{nearest(labels, known)}")
    if path.is_file() and path.suffix.lower() == ".json":
        return "coco"
    files = _label_files(path) if path.is_dir() else []
    found = {_SUFFIXES[file.suffix.lower()]: file.name for file in reversed(files) if file.suffix.lower() in _SUFFIXES}
    if len(found) > 1:
        shown = ", ".join(f"{name} ({kind})" for kind, name in sorted(found.items()))
        raise DataError(f"{path}: labels of several formats, {shown}; say which one with labels=")
    return next(iter(found), "ids")


def read_annotations(
    path: Path, stems: Sequence[str], *, labels: Format, classes: Sequence[str], missing: str
) -> tuple[list[Annotation], tuple[str, ...]]:
    """Reads the annotations of a list of images.

    Args:
        path: the labels' folder, or COCO's file.
        stems: of the images.
        labels: the format, ``"yolo"``, ``"voc"`` or ``"coco"``.
        classes: the names in the order of their ids; may be empty for YOLO and COCO.
        missing: ``"error"``, or ``"empty"``: an image that no label file belongs to has no objects.

    Returns:
        One annotation per image, and the names of the classes.

    Raises:
        ConfigError: ``missing`` is neither, or names are needed and there are none.
        DataError: a file is missing or wrong; it is named, with the line.
    """
    if missing not in ("error", "empty"):
        raise ConfigError(f"missing={missing!r}: give 'error' or 'empty'")
    if labels == "voc" and not classes:
        raise ConfigError(f"{path}: xml files have classes by name; give classes= in the order of their ids")
    if labels == "coco":
        file = _coco_file(path)
        found, classes = read_coco(file, classes)
        _check_missing(file, stems, found, missing)
        return [found.get(stem, Annotation(file)) for stem in stems], tuple(classes)
    if not path.is_dir():
        raise DataError(f"{path}: no such folder of labels")
    suffix = ".txt" if labels == "yolo" else ".xml"
    files = {file.stem: file for file in _label_files(path) if file.suffix.lower() == suffix}
    _check_missing(path, stems, files, missing)
    read = [
        (read_yolo(files[stem], len(classes)) if labels == "yolo" else read_voc(files[stem], classes))
        if stem in files
        else Annotation(path / f"{stem}{suffix}")
        for stem in stems
    ]
    return read, tuple(classes)


def _label_files(folder: Path) -> list[Path]:
    files = sorted(file for file in folder.iterdir() if file.is_file() and not file.name.startswith("."))
    return [file for file in files if file.name not in _NO_LABELS]


def _coco_file(path: Path) -> Path:
    if path.is_file():
        return path
    files = sorted(path.glob("*.json")) if path.is_dir() else []
    if len(files) != 1:
        names = ", ".join(file.name for file in files[:_SHOWN]) or "none"
        raise DataError(f"{path}: expected one json file of annotations, found {names}; give the file itself")
    return files[0]


def _check_missing(path: Path, stems: Sequence[str], found: Container[str], missing: str) -> None:
    absent = [stem for stem in stems if stem not in found]
    # not one label: the wrong folder, rather than nothing to be seen in any image
    if absent and (missing == "error" or len(absent) == len(stems)):
        more = f" and {len(absent) - _SHOWN} more" if len(absent) > _SHOWN else ""
        remedy = "" if len(absent) == len(stems) else ", or give missing='empty' if these images have no objects"
        raise DataError(
            f"{path} has no labels for {', '.join(absent[:_SHOWN])}{more}: labels are found by stem, add them{remedy}"
        )
