"""A sheet of pictures: scenes of a data set with their labels drawn over them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from metaloss.data.ignored import IGNORED
from metaloss.runtime.files import written_whole

_CELL = (240, 200)  # of a picture at most, pixels
_GAP, _LINE, _FONT = 6, 16, 12
_COLUMNS = 2  # scenes beside each other
_COLOURS = (
    (230, 60, 60),
    (60, 200, 80),
    (70, 120, 255),
    (255, 200, 30),
    (200, 70, 230),
    (40, 210, 220),
    (255, 130, 30),
    (160, 230, 60),
    (255, 140, 190),
    (140, 110, 60),
    (130, 150, 200),
    (200, 200, 160),
)
_NO_CLASS = (255, 255, 255)


class Shown(NamedTuple):
    """A scene of the sheet.

    Attributes:
        title: split and name.
        pictures: of each source, (1, H, W) or (3, H, W), in [0, 1].
        target: ids (H, W), or a dict of boxes and labels, or ``None``.
        sources: their names.
        classes: names by id; empty where they are unknown.
    """

    title: str
    pictures: Sequence[Tensor]
    target: Any
    sources: Sequence[str]
    classes: Sequence[str]


def draw_contact_sheet(path: Path, scenes: Sequence[Shown], background: int | None = None) -> None:
    """Draws each source of some scenes, and once more the last of them under the labels.

    Args:
        path: of the PNG file; its folder is made when missing.
        scenes: at least one.
        background: a class that is left as it is: that of most pixels.
    """
    labelled = any(scene.target is not None for scene in scenes)
    cell = max(_fitted(_size(scene))[0] for scene in scenes)
    blocks = [_block(scene, background, labelled, cell) for scene in scenes]
    columns = min(_COLUMNS, len(blocks))
    width = max(block.width for block in blocks)
    rows = [blocks[begin : begin + columns] for begin in range(0, len(blocks), columns)]
    legend = _legend(scenes, scenes[0].classes, background, columns * (width + _GAP))
    height = sum(max(block.height for block in row) + _GAP for row in rows) + legend.height + _GAP
    sheet = Image.new("RGB", (columns * (width + _GAP) + _GAP, height), "white")
    top = _GAP
    for row in rows:
        for column, block in enumerate(row):
            sheet.paste(block, (_GAP + column * (width + _GAP), top))
        top += max(block.height for block in row) + _GAP
    sheet.paste(legend, (_GAP, top))
    with written_whole(path) as file:
        sheet.save(file, "PNG")


def colour_of(number: int) -> tuple[int, int, int]:
    """The colour of a class; after some classes they come again."""
    return _COLOURS[number % len(_COLOURS)]


def _size(scene: Shown) -> tuple[int, int]:
    height, width = scene.pictures[0].shape[-2:]
    return width, height


def _block(scene: Shown, background: int | None, labelled: bool, cell: int) -> Image.Image:
    """The pictures of a scene beside each other, each in a cell of some pixels, with their names."""
    pictures = [_picture(source) for source in scene.pictures]
    titles = [*scene.sources]
    if labelled:
        pictures.append(_under_labels(pictures[-1], scene.target, scene.classes, background))
        titles.append("labels")
    width, height = _fitted(pictures[0].size)
    block = Image.new("RGB", (len(pictures) * (cell + _GAP) - _GAP, height + 2 * _LINE), "white")
    draw = ImageDraw.Draw(block)
    draw.text((0, 0), _short(scene.title, block.width), fill="black", font=_font())
    for column, (title, picture) in enumerate(zip(titles, pictures, strict=True)):
        left = column * (cell + _GAP)
        draw.text((left, _LINE), title, fill=(90, 90, 90), font=_font())
        block.paste(picture.resize((width, height)), (left, 2 * _LINE))
    return block


def _fitted(size: tuple[int, int]) -> tuple[int, int]:
    factor = min(_CELL[0] / size[0], _CELL[1] / size[1])
    return max(round(size[0] * factor), 1), max(round(size[1] * factor), 1)


def _picture(image: Tensor) -> Image.Image:
    pixels: NDArray[np.uint8] = (image.expand(3, -1, -1).clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
    return Image.fromarray(pixels)


def _under_labels(picture: Image.Image, target: Any, classes: Sequence[str], background: int | None) -> Image.Image:
    size = _fitted(picture.size)
    if isinstance(target, Tensor):
        return _masked(picture.resize(size), target, background)
    small = picture.resize(size)
    if target is None:
        return small
    draw = ImageDraw.Draw(small)
    factor = torch.tensor([size[0] / picture.width, size[1] / picture.height] * 2)
    corners = (target["boxes"] * factor).tolist()
    for (left, top, right, bottom), number in zip(corners, target["labels"].tolist(), strict=True):
        colour = colour_of(number)
        draw.rectangle((left, top, max(right - 1, left), max(bottom - 1, top)), outline=colour, width=2)
        text = classes[number] if number < len(classes) else str(number)
        wide = draw.textlength(text, font=_font(10))
        left, top = min(max(left, 0), max(size[0] - wide - 2, 0)), max(top - 11, 0)
        draw.rectangle((left, top, left + wide + 2, top + 11), fill=colour)
        draw.text((left + 1, top - 1), text, fill="black", font=_font(10))
    return small


def _masked(picture: Image.Image, ids: Tensor, background: int | None) -> Image.Image:
    columns = torch.arange(picture.width) * ids.shape[1] // picture.width
    rows = torch.arange(picture.height) * ids.shape[0] // picture.height
    small = ids[rows][:, columns].numpy()
    pixels = np.asarray(picture, dtype=np.float32).copy()
    for number in np.unique(small).tolist():
        if number != background:
            colour = _NO_CLASS if number == IGNORED else colour_of(number)
            pixels[small == number] = 0.45 * pixels[small == number] + 0.55 * np.array(colour)
    return Image.fromarray(pixels.round().astype(np.uint8))


def _legend(scenes: Sequence[Shown], classes: Sequence[str], background: int | None, width: int) -> Image.Image:
    """The colours of the classes that are there; a class that is not coloured is said."""
    found: set[int] = set()
    for scene in scenes:
        target = scene.target
        if target is not None:
            found |= set((target if isinstance(target, Tensor) else target["labels"]).unique().tolist())
    entries = []
    for number in sorted(found):
        name = classes[number] if number < len(classes) else "(not a class)" if number == IGNORED else str(number)
        if number == background:
            entries.append((f"{name}: not coloured", _NO_CLASS))
        else:
            entries.append((name, _NO_CLASS if name == "(not a class)" else colour_of(number)))
    lines: list[list[tuple[int, str, tuple[int, int, int]]]] = [[]] if entries else []
    left = 0
    for text, colour in entries:
        wide = int(_font().getlength(text)) + 30
        if left + wide > width and lines[-1]:
            lines.append([])
            left = 0
        lines[-1].append((left, text, colour))
        left += wide
    legend = Image.new("RGB", (width, max(len(lines), 0) * (_LINE + 2) or 1), "white")
    draw = ImageDraw.Draw(legend)
    for row, line in enumerate(lines):
        for left, text, colour in line:
            top = row * (_LINE + 2)
            draw.rectangle((left, top + 2, left + 12, top + 14), fill=colour, outline="black")
            draw.text((left + 17, top), text, fill="black", font=_font())
    return legend


def _font(size: int = _FONT) -> Any:
    return ImageFont.load_default(size)


def _short(text: str, width: int) -> str:
    while text and _font().getlength(text) > width:
        text = text[:-4] + "..." if len(text) > 7 else text[:-1]
    return text
