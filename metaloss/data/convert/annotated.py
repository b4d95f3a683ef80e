"""Labels that are read as shapes or boxes: LabelMe, YOLO, Pascal VOC, COCO."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from metaloss.data.annotations import Annotation, read_coco, read_voc
from metaloss.data.annotations.voc import names_in_voc
from metaloss.data.annotations.yolo_kinds import Form
from metaloss.data.convert.boxes import Boxes
from metaloss.data.convert.labelme import read_labelme
from metaloss.data.convert.names import names_beside
from metaloss.data.convert.reading import read_all
from metaloss.data.convert.shapes import Drawing
from metaloss.data.convert.sources import Source
from metaloss.data.convert.yolo_lines import Line, drawing, read_lines, settle
from metaloss.data.texts import read_json


@dataclass(frozen=True)
class Labels:
    """What a source's files hold.

    Attributes:
        drawings: per image its shapes; of VOC and COCO, which have boxes alone, none.
        boxes: per image its boxes.
        names: of the classes, in the order of their ids.
        where: what the names come from, for messages.
        listed: whether a list says all names there are; else they are those that occur.
        forms: of YOLO's lines, how many there are of each.
    """

    drawings: tuple[Drawing, ...]
    boxes: tuple[Boxes, ...]
    names: tuple[str, ...]
    where: str
    listed: bool
    forms: Mapping[Form, int]


def read_labels(source: Source, form: str = "auto") -> Labels:
    """Reads all files of a source.

    Args:
        source: any but masks.
        form: of YOLO's lines, see :func:`metaloss.data.convert.yolo_lines.settle`.

    Raises:
        DataError: a file cannot be read, or holds what cannot be right; it is named, with the place.
        ConfigError: a list of names holds none, or one twice.
    """
    if source.kind == "labelme":
        drawings = read_all(source.files, read_labelme)
        return _drawn(drawings, _sorted_names(drawings), f"the labels in {source.path}", False, {})
    if source.kind == "yolo":
        return _yolo(source, form)
    return _coco(source.files[0]) if source.kind == "coco" else _voc(source)


def _drawn(
    drawings: Sequence[Drawing], names: tuple[str, ...], where: str, listed: bool, forms: Mapping[Form, int]
) -> Labels:
    return Labels(tuple(drawings), tuple(map(Boxes.of, drawings)), names, where, listed, forms)


def _sorted_names(drawings: Sequence[Drawing]) -> tuple[str, ...]:
    return tuple(sorted({shape.label for drawing in drawings for shape in drawing.shapes}))


def _yolo(source: Source, form: str) -> Labels:
    names, file = names_beside(source.path)
    read: list[list[Line]] = read_all(source.files, read_lines)
    settled = iter(settle([line for lines in read for line in lines], form))
    lines = [[next(settled) for _ in of_file] for of_file in read]
    forms = Counter(line.form for of_file in lines for line in of_file)
    drawings = [drawing(path, of_file, names) for path, of_file in zip(source.files, lines, strict=True)]
    where = (
        f"the classes in {file}" if file else f"the classes in {source.path}, which has no list of names (classes.txt)"
    )
    if not names:
        most = max((line.label for of_file in lines for line in of_file), default=-1)
        names = tuple(map(str, range(most + 1)))
    return _drawn(drawings, names, where, True, forms)


def _voc(source: Source) -> Labels:
    found = [names_in_voc(path) for path in source.files]
    names = tuple(sorted({name for names, _ in found for name in names}))
    annotations = read_all(source.files, lambda path: read_voc(path, names))
    images = [
        _boxes(annotation, path.stem, names, {"marked as difficult": difficult})
        for path, annotation, (_, difficult) in zip(source.files, annotations, found, strict=True)
    ]
    return Labels((), tuple(images), names, f"the classes in {source.path}", False, {})


def _coco(path: Path) -> Labels:
    [(found, names)] = read_all([path], read_coco)
    entries = read_json(path, "COCO's json").get("annotations", [])
    crowds = sum(1 for entry in entries if entry.get("iscrowd"))
    images = [
        _boxes(annotation, stem, names, {"marked as crowds": 0 if number else crowds})
        for number, (stem, annotation) in enumerate(found.items())
    ]
    return Labels((), tuple(images), names, f"the categories in {path}", True, {})


def _boxes(annotation: Annotation, stem: str, names: Sequence[str], left_out: dict[str, int]) -> Boxes:
    labels = tuple(names[number] for number in annotation.labels)
    return Boxes(annotation.file, stem, labels, annotation.boxes, annotation.normalised, annotation.size, left_out)
