"""Labels in another form to what :class:`metaloss.data.PairedDataset` reads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from metaloss.data.convert.masks import convert_masks
from metaloss.data.convert.outcome import Outcome
from metaloss.data.convert.shaped import convert_shapes
from metaloss.data.convert.sources import SPOKEN, Source, find_labels
from metaloss.data.convert.writing import check_places, held_in, write_lines
from metaloss.errors import ConfigError
from metaloss.runtime.folders import no_empty_folders

_MASKS = ("colours", "ids")
_SHOWN = 3


def convert_labels(
    path: Path,
    out: Path,
    *,
    kind: str = "auto",
    to: str | None = None,
    colours: str | None = None,
    classes: str | None = None,
    others: str | None = None,
    images: Path | None = None,
    form: str = "auto",
    overwrite: bool = False,
) -> Outcome:
    """Converts the labels of a folder; everything is read before anything is written, and each file is written whole.

    Args:
        path: a folder of labels, or one file of them; it stays as it is.
        out: the folder for the result: ``classes.txt``, and masks of class ids as PNG or boxes as YOLO's plain lines.
        kind: of the labels, ``"colours"``, ``"ids"``, ``"labelme"``, ``"yolo"``, ``"voc"``, ``"coco"``, or ``"auto"``.
        to: ``"ids"`` or ``"boxes"``; default: boxes of YOLO, VOC and COCO, else ids.
        colours: of colour-coded masks, a list of colours (see :func:`metaloss.data.convert.colours.read_colours`), or
            ``"auto"``.
        classes: which classes are kept, in which order (see :func:`metaloss.data.convert.classes.wanted_classes`);
            ``None`` for all.
        others: what other pixels of masks become: ``"background"``, ``"ignore"``, or ``"nearest"`` for colours.
        images: the folder of the images, where their sizes are needed.
        form: of YOLO's lines, ``"auto"``, ``"polygon"``, ``"obb"`` or ``"keypoints"``.
        overwrite: whether files of the same names may be written over.

    Returns:
        What was done.

    Raises:
        ConfigError: options do not fit each other or the labels, or nothing would be changed.
        DataError: labels cannot be read, or a result cannot be written.
    """
    source = find_labels(path, kind)
    check_places(path, out, overwrite=overwrite)
    before = held_in(out)
    _check_options(source, to=to, colours=colours, others=others, images=images, form=form)
    with no_empty_folders(out):
        if source.kind in _MASKS:
            sure = kind != "auto"
            outcome = convert_masks(source, out, colours=colours, classes=classes, others=others, sure=sure)
        else:
            target = to or ("ids" if source.kind == "labelme" else "boxes")
            outcome = convert_shapes(source, out, to=target, classes=classes, others=others, images=images, form=form)
        write_lines(out / "classes.txt", outcome.classes)
    if source.other:
        outcome.notes.append(f"other files in {path}, not read: {_some(source.other)}")
    stale = sorted(before - outcome.written - {"classes.txt"})
    if stale:
        outcome.warnings.append(f"{out} holds other files, left as they were: {_some(stale)}")
    return outcome


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _check_options(
    source: Source, *, to: str | None, colours: str | None, others: str | None, images: Path | None, form: str
) -> None:
    """Refuses options that would have no effect."""
    spoken = SPOKEN[source.kind]
    masks = source.kind in _MASKS
    if masks and to == "boxes":
        raise ConfigError(f"--to boxes: {source.path} has masks, which do not tell one object from the next")
    if source.kind in ("voc", "coco") and to == "ids":
        raise ConfigError(f"--to ids: {source.path} has {spoken}, whose boxes are no outlines")
    if not masks and colours is not None:
        raise ConfigError(f"--colours {colours}: {source.path} has {spoken}; it acts on colour-coded masks")
    if not masks and others == "nearest":
        raise ConfigError("--others nearest: acts on the colours of masks; give background or ignore")
    if not masks and others is not None and (to == "boxes" or (to is None and source.kind != "labelme")):
        raise ConfigError(f"--others {others}: acts on masks; boxes of classes that are not kept are left out")
    if masks and images is not None:
        raise ConfigError(f"--images {images}: masks have the size of their images already; leave it out")
    if source.kind != "yolo" and form != "auto":
        raise ConfigError(f"--form {form}: acts on YOLO's lines, and {source.path} has {spoken}")
