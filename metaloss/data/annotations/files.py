"""Which label format lies in a folder, and the annotations of a list of images."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

from metaloss.data.annotations.annotation import Annotation
from metaloss.data.annotations.coco import read_coco
from metaloss.data.annotations.complaints import Complaints
from metaloss.data.annotations.labelme import LABELME, is_labelme_file
from metaloss.data.annotations.lists import read_list
from metaloss.data.annotations.lookup import label_files, own_labels, pattern_advice
from metaloss.data.annotations.voc import names_in_voc, read_voc
from metaloss.data.annotations.yolo import read_yolo
from metaloss.data.class_choice import ClassChoice
from metaloss.data.formats import FORMATS
from metaloss.data.listing import Listing, is_pattern, list_files, what_is_missing
from metaloss.errors import ConfigError, DataError, nearest

Format = Literal["ids", "yolo", "voc", "coco", "list"]
_SUFFIXES: dict[str, Format] = {".txt": "yolo", ".xml": "voc", ".json": "coco", **dict.fromkeys(FORMATS, "ids")}
_FILES: dict[str, Format] = {".json": "coco", ".txt": "list"}
_NO_LABELS = {"classes.txt", "colours.txt", "labels.txt"}  # lists that programs leave beside the labels
_SHOWN = 3
_LISTED = 12
_LOOKED_AT = 100  # xml files, for the classes that they name


def detect_format(path: Path, labels: str = "auto") -> Format:
    """Says which format the labels have: as told, or by the suffixes of what lies there.

    Args:
        path: the labels' folder or pattern, or the file of COCO's, or a list.
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
    if path.is_file() and path.suffix.lower() in _FILES:
        return _FILES[path.suffix.lower()]
    listing = _listing(path) if path.is_dir() or is_pattern(path) else None
    files = [listing.base / name for name in listing.names] if listing else []
    found = {_SUFFIXES[file.suffix.lower()]: file for file in reversed(files)}
    if len(found) > 1:
        shown = ", ".join(
            f"{file.name} ({'LabelMe' if kind == 'coco' and is_labelme_file(file) else kind})"
            for kind, file in sorted(found.items())
        )
        raise DataError(f"{path}: labels of several formats, {shown}; say which one with labels=")
    if listing is not None and listing.pattern is None and not found:
        _look_deeper(path)
    return next(iter(found), "ids")


def _look_deeper(path: Path) -> None:
    """Says where labels are, where a folder has them in folders of its own alone.

    Raises:
        DataError: there are such.
    """
    for folder, _, names in os.walk(path):
        suffixes = (os.path.splitext(name)[1].lower() for name in names if name not in _NO_LABELS)
        suffix = next((suffix for suffix in suffixes if suffix in (".txt", ".xml")), None)
        if suffix is not None:
            everything = path / "**" / f"*{suffix}"
            raise DataError(
                f"{path}: no labels in it, but in {folder}: give that folder, or write {everything} for all"
            )


def read_annotations(
    path: Path,
    stems: Sequence[str],
    *,
    labels: Format,
    choice: ClassChoice,
    missing: str,
    aliases: Sequence[Sequence[str]] = (),
) -> tuple[list[Annotation], tuple[str, ...]]:
    """Reads the annotations of a list of images, and says how many boxes do not count.

    Args:
        path: the labels' folder or pattern, or the file of COCO's, or a list.
        stems: of the images, or the names of their scenes.
        labels: the format: ``"yolo"``, ``"voc"``, ``"coco"`` or ``"list"``.
        choice: the classes, and what becomes of others; no names need be known for any but VOC.
        missing: ``"error"``, or ``"empty"``: an image that no label file belongs to has no objects.
        aliases: the stems of each scene's files, by which a label may be called as well.

    Returns:
        One annotation per image, and the names of the classes.

    Raises:
        ConfigError: names are needed and there are none.
        DataError: a file is missing or wrong; it is named, with the line.
    """
    if labels == "voc" and not choice.names:
        raise ConfigError(
            f"{path}: xml files have classes by name; give classes= in the order of their ids{_in_xml(path)}"
        )
    names = choice.names
    if labels in ("coco", "list"):
        file = _one_file(path, labels)
        found, names = read_coco(file, choice=choice) if labels == "coco" else (read_list(file, choice=choice), names)
        own = own_labels(file, stems, aliases, {stem: [stem] for stem in found})
        _check_missing(file, stems, own, missing)
        read = [Annotation(file) if stem is None else found[stem] for stem in own]
    else:
        read = _one_each(path, stems, aliases, labels, choice, missing)
    _say_left_out(path, read, names, by_name=labels in ("voc", "coco"))
    return read, names


def _in_xml(path: Path) -> str:
    """Which classes the first xml files name, for the end of a message."""
    listing = _listing(path) if path.is_dir() or is_pattern(path) else None
    files = [listing.path(name) for name in listing.names if name.lower().endswith(".xml")] if listing else []
    named = sorted({name for file in files[:_LOOKED_AT] for name in names_in_voc(file)[0]})
    return f" (the first files name {', '.join(named[:_LISTED])})" if named else ""


def _one_each(
    path: Path,
    stems: Sequence[str],
    aliases: Sequence[Sequence[str]],
    labels: Format,
    choice: ClassChoice,
    missing: str,
) -> list[Annotation]:
    """Reads formats that have a file for each image."""
    if not path.is_dir() and not is_pattern(path):
        raise DataError(f"{path}: {what_is_missing(path, 'folder of labels')}")
    suffix = ".txt" if labels == "yolo" else ".xml"
    listing, known = _files_of(path, suffix)
    files = own_labels(path, stems, aliases, known)
    _check_missing(path, stems, files, missing, lambda: pattern_advice(path, stems, known))
    read: list[Annotation] = []
    complaints = Complaints()
    for stem, file in zip(stems, files, strict=True):
        with complaints.about("" if file is None else file.name):
            none = Annotation(listing.base / f"{stem}{suffix}")
            read.append(none if file is None else _READERS[suffix](file, choice=choice))
    complaints.end("file", "files")
    return read


def complaints_of(
    path: Path,
    stems: Sequence[str],
    aliases: Sequence[Sequence[str]],
    *,
    labels: Format,
    choice: ClassChoice,
    missing: str,
) -> dict[int, DataError]:
    """Reads the annotations of a list of images one by one, as :func:`read_annotations` does.

    Args:
        path: the folder or pattern of YOLO's or VOC's labels.
        stems: of the images, or the names of their scenes.
        aliases: the stems of each scene's files.
        labels: ``"yolo"`` or ``"voc"``.
        choice: the classes.
        missing: ``"error"`` or ``"empty"``.

    Returns:
        What is wrong, by the number of the image.

    Raises:
        DataError: two files may be the label of one image.
    """
    suffix = ".txt" if labels == "yolo" else ".xml"
    found: dict[int, DataError] = {}
    for number, file in enumerate(own_labels(path, stems, aliases, _files_of(path, suffix)[1])):
        try:
            if file is not None:
                _READERS[suffix](file, choice=choice)
            elif missing == "error":
                _check_missing(path, [stems[number]], [None], missing)
        except DataError as error:
            found[number] = error
    return found


_READERS: dict[str, Callable[..., Annotation]] = {".txt": read_yolo, ".xml": read_voc}


def _files_of(path: Path, suffix: str) -> tuple[Listing, dict[str, set[Path]]]:
    """The files of one kind, and these by what they are called."""
    listing = _listing(path)
    listing = replace(listing, names=tuple(name for name in listing.names if name.lower().endswith(suffix)))
    return listing, label_files(listing)


def _say_left_out(path: Path, read: Sequence[Annotation], names: Sequence[str], *, by_name: bool) -> None:
    counts = Counter(name for annotation in read for name in annotation.left_out)
    if counts:
        first = next(annotation for annotation in read if annotation.left_out)
        listed = ", ".join(f"{name} {count}" for name, count in counts.most_common(_LISTED))
        listed += ", ..." if len(counts) > _LISTED else ""
        used = {label for annotation in read for label in annotation.labels}
        unused = [name for number, name in enumerate(names) if by_name and number not in used]
        hints = [f"; no box is of {name!r}{hint}" for name in unused if (hint := nearest(name, counts))]
        known = f"the classes are {', '.join(names)}" if names else "they are ignored"
        warnings.warn(
            f"{path}: {_boxes(counts.total())} left out, of no class that counts: {listed} (first: {first.where}); "
            f"{known}{''.join(hints[:_SHOWN])}",
            stacklevel=4,
        )


def _boxes(count: int) -> str:
    return f"{count} boxes are" if count > 1 else "1 box is"


def _listing(place: Path) -> Listing:
    listing = list_files(place, _SUFFIXES)
    return replace(listing, names=tuple(name for name in listing.names if Path(name).name not in _NO_LABELS))


def _one_file(path: Path, labels: Format) -> Path:
    """The one file of all images: the path itself, or COCO's in the folder."""
    if path.is_file() or labels == "list":
        return path
    files = sorted(file for file in path.iterdir() if file.suffix.lower() == ".json") if path.is_dir() else []
    if len(files) != 1:
        if files and is_labelme_file(files[0]):
            raise DataError(f"{files[0]}: {LABELME}")
        names = ", ".join(file.name for file in files[:_SHOWN]) or "none"
        raise DataError(f"{path}: expected one json file of annotations, found {names}; give the file itself")
    return files[0]


def _check_missing(
    path: Path,
    stems: Sequence[str],
    labels: Sequence[object],
    missing: str,
    advice: Callable[[], str] = str,
) -> None:
    absent = [stem for stem, label in zip(stems, labels, strict=True) if label is None]
    # not one label: the wrong folder, rather than nothing to be seen in any image
    if absent and (missing == "error" or len(absent) == len(stems)):
        more = f" and {len(absent) - _SHOWN} more" if len(absent) > _SHOWN else ""
        remedy = advice() if len(absent) == len(stems) else ", or give missing='empty' if these images have no objects"
        raise DataError(
            f"{path} has no labels for {', '.join(absent[:_SHOWN])}{more}: labels are found by stem, add them{remedy}"
        )
