"""Labels of shapes or boxes to masks of class ids, or to YOLO's plain lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from metaloss.data.convert.annotated import Labels, read_labels
from metaloss.data.convert.boxes import write_boxes
from metaloss.data.convert.classes import Wanted, check_known, is_usual, plan_boxes, plan_masks, wanted_classes
from metaloss.data.convert.drawn import write_drawn
from metaloss.data.convert.outcome import Outcome
from metaloss.data.convert.sizes import Size, image_sizes
from metaloss.data.convert.sources import SPOKEN, Source
from metaloss.data.scene_files import images_by_stem
from metaloss.errors import ConfigError, DataError, nearest

_SHOWN = 5
_FORMS = {"box": "boxes", "polygon": "polygons or corners", "keypoints": "boxes with keypoints"}


def convert_shapes(
    source: Source, out: Path, *, to: str, classes: str | None, others: str | None, images: Path | None, form: str
) -> Outcome:
    """Writes a mask or a text of boxes for each image.

    Args:
        source: LabelMe, YOLO, VOC or COCO labels.
        out: the folder.
        to: ``"ids"`` or ``"boxes"``.
        classes: which classes are kept; ``None`` for all.
        others: of masks, what shapes of other classes become: ``"ignore"``, or ``"background"`` and ``None``: they are
            not drawn.
        images: the folder of the images, or ``None``.
        form: of YOLO's lines.

    Raises:
        ConfigError: the options do not fit the labels, or nothing would be changed.
        DataError: labels cannot be read, or the size of an image is needed and unknown.
    """
    pictures = None if images is None else images_by_stem(images)
    labels = read_labels(source, form)
    if source.kind == "yolo" and to == "boxes" and classes is None and labels.forms.keys() <= {"box"}:
        raise ConfigError(
            f"{source.path}: all lines are boxes already, `class x y width height`: no conversion is needed, "
            "PairedDataset reads them; --classes keeps some of the classes"
        )
    if not labels.names and classes is None:
        raise DataError(
            f"{source.path}: {len(source.files)} files of {SPOKEN[source.kind]}, and no object of a class in them"
        )
    wanted = None if classes is None else wanted_classes(classes, labels.names)
    outcome = Outcome(source.path, SPOKEN[source.kind], out, to == "ids", ())
    if wanted is not None:
        outcome.warnings += _doubts(wanted, labels)
    sizes: Mapping[str, Size]
    if pictures is not None and images is not None:
        sizes = image_sizes([image.stem for image in labels.boxes], pictures, images)
    else:
        sizes = _sizes_beside(source, labels, needed=to == "ids")
    if to == "ids":
        plan = plan_masks(labels.names, wanted, others, drawn=True)
        outcome.classes = plan.classes
        write_drawn(labels.drawings, sizes, plan, outcome)
    else:
        plan = plan_boxes(labels.names, wanted)
        outcome.classes = plan.classes
        write_boxes(labels.boxes, sizes, plan, outcome)
    outcome.notes += _notes(source, labels, classes)
    return outcome


def _doubts(wanted: Sequence[Wanted], labels: Labels) -> list[str]:
    """Refuses classes that do not exist; where that cannot be known, says which have no object."""
    if labels.listed:
        check_known(wanted, labels.names, labels.where)
        return []
    kept = {old for one in wanted for old in one.of}
    if labels.names and not kept & set(labels.names):
        raise ConfigError(f"--classes: none of them is among {_some(labels.names)}: give names from the labels")
    rest = [name for name in labels.names if name not in kept]
    return [
        f"no object of the class {old!r} is in {labels.where}{nearest(old, rest)}"
        for old in sorted(kept - set(labels.names))
        if not is_usual(old)
    ]


def _sizes_beside(source: Source, labels: Labels, *, needed: bool) -> Mapping[str, Size]:
    """Sizes by the images that lie beside labels which do not say them, where they are needed."""
    unknown = [image.stem for image in labels.boxes if image.size is None and (needed or not image.normalised)]
    if unknown and not source.pictures:
        raise DataError(
            f"{source.path}: sizes of images are needed, which these labels do not say: give their folder as --images"
        )
    return image_sizes(unknown, source.pictures, source.path)


def _notes(source: Source, labels: Labels, classes: str | None) -> list[str]:
    if source.kind == "yolo":
        read = ", ".join(f"{count} {_FORMS[form]}" for form, count in sorted(labels.forms.items())) or "none"
        return [f"lines: {read}; names: {labels.where}"]
    if not labels.listed and classes is None:
        return ["the classes are in the order of their names: give --classes where other labels have another order"]
    return []


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (" ..." if len(names) > _SHOWN else "")
