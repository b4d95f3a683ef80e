"""``metaloss data convert``."""

from __future__ import annotations

from enum import Enum
from pathlib import Path

import typer


class Kind(str, Enum):
    """What the labels are."""

    auto = "auto"
    colours = "colours"
    ids = "ids"
    labelme = "labelme"
    yolo = "yolo"
    voc = "voc"
    coco = "coco"


class To(str, Enum):
    """What they become."""

    ids = "ids"
    boxes = "boxes"


class Others(str, Enum):
    """What pixels become that are of no class that is kept."""

    background = "background"
    ignore = "ignore"
    nearest = "nearest"


class Form(str, Enum):
    """What YOLO's lines of more than five numbers are."""

    auto = "auto"
    polygon = "polygon"
    obb = "obb"
    keypoints = "keypoints"


def convert(
    source: Path = typer.Argument(metavar="IN", help="A folder of labels, or one file of them; it stays as it is."),
    out: Path = typer.Argument(metavar="OUT", help="The folder for the result."),
    kind: Kind = typer.Option(Kind.auto, "--from", help="What IN holds; auto: by its content."),
    to: To | None = typer.Option(None, "--to", help="Default: boxes of YOLO, VOC and COCO labels, else ids."),
    colours: str | None = typer.Option(
        None, metavar="FILE|auto", help="The colours of masks: lines `R G B name`, json or yaml; auto: those found."
    ),
    classes: str | None = typer.Option(
        None, metavar="A,B|FILE", help="The classes that are kept, in this order; NEW=OLD or NEW=OLD+OLD renames."
    ),
    others: Others | None = typer.Option(
        None, help="What other pixels of masks become; nearest: of unknown colours, the nearest colour's class."
    ),
    images: Path | None = typer.Option(None, metavar="FOLDER", help="The images, where labels do not say their sizes."),
    form: Form = typer.Option(
        Form.auto, help="What YOLO's lines of more than five numbers are, where they do not tell."
    ),
    overwrite: bool = typer.Option(False, "--overwrite", help="Write over files of the same names in OUT."),
) -> None:
    """Convert labels to what training reads: masks of class ids, or YOLO's plain boxes.

    IN holds colour-coded masks, masks of ids, LabelMe json, YOLO lines of any task, Pascal VOC xml or COCO json.
    """
    from metaloss.cli.data.summary import summary
    from metaloss.data.convert import convert_labels

    outcome = convert_labels(
        source,
        out,
        kind=kind.value,
        to=None if to is None else to.value,
        colours=colours,
        classes=classes,
        others=None if others is None else others.value,
        images=images,
        form=form.value,
        overwrite=overwrite,
    )
    for warning in outcome.warnings:
        typer.echo(f"warning: {warning}", err=True)
    typer.echo(summary(outcome), nl=False)
