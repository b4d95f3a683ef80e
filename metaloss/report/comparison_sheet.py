"""A sheet of pictures: some scenes, each source and each method's image, and a detail of all of them enlarged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from metaloss.colour import luma
from metaloss.runtime.files import written_whole

_WIDTH, _GAP, _LINE = 240, 6, 18
_PART = 4  # of a picture's sides is the detail's side
_FRAME = (230, 60, 60)


class Scene(NamedTuple):
    """A row of the sheet.

    Attributes:
        name: of the scene.
        pictures: by title, the sources first; each (1, H, W) or (3, H, W), in [0, 1].
        results: which of them are methods' images.
    """

    name: str
    pictures: Mapping[str, Tensor]
    results: Sequence[str]


def draw_comparison(path: Path, scenes: Sequence[Scene]) -> None:
    """Draws a sheet.

    Args:
        path: of the PNG file; its folder is made when missing.
        scenes: at least one, with pictures of the same titles.
    """
    blocks = [_block(scene) for scene in scenes]
    sheet = Image.new("RGB", (blocks[0].width + 2 * _GAP, sum(block.height + _GAP for block in blocks) + _GAP), "white")
    top = _GAP
    for block in blocks:
        sheet.paste(block, (_GAP, top))
        top += block.height + _GAP
    with written_whole(path) as file:
        sheet.save(file, "PNG")


def detail_of(images: Sequence[Tensor]) -> tuple[int, int, int, int]:
    """Finds the part of a scene in which the methods' local contrast differs most, not how bright they make a sky.

    Args:
        images: of the methods, each (C, H, W); of one alone, where its local contrast is largest.

    Returns:
        Top, left, height and width: a quarter of the image's.
    """
    stacked = torch.stack([luma(image) if len(image) == 3 else image for image in images])
    height, width = (max(side // _PART, 1) for side in stacked.shape[-2:])
    window = 2 * (min(height, width) // 4) + 1  # half of the detail
    structure = stacked - F.avg_pool2d(stacked, window, stride=1, padding=window // 2, count_include_pad=False)
    spread = structure.var(0) if len(images) > 1 else structure[0].square()
    means = F.avg_pool2d(spread.unsqueeze(0), (height, width), stride=1)[0, 0]
    top, left = divmod(int(means.argmax()), means.shape[1])
    return top, left, height, width


def _block(scene: Scene) -> Image.Image:
    top, left, height, width = detail_of([scene.pictures[title] for title in scene.results])
    first = next(iter(scene.pictures.values()))
    tall = max(round(_WIDTH * first.shape[-2] / first.shape[-1]), 1)
    count = len(scene.pictures)
    block = Image.new("RGB", (count * (_WIDTH + _GAP) - _GAP, 2 * (tall + _GAP) + _LINE), "white")
    draw = ImageDraw.Draw(block)
    scale = _WIDTH / first.shape[-1]
    for column, (title, picture) in enumerate(scene.pictures.items()):
        place = column * (_WIDTH + _GAP)
        words = f"{scene.name}: {title}" if column == 0 else title
        draw.text((place, 0), words, fill="black", font=ImageFont.load_default(12))
        block.paste(_picture(picture).resize((_WIDTH, tall)), (place, _LINE))
        frame = [place + left * scale, _LINE + top * scale]
        frame += [place + (left + width) * scale - 1, _LINE + (top + height) * scale - 1]
        draw.rectangle(frame, outline=_FRAME, width=2)
        detail = _picture(picture[..., top : top + height, left : left + width])
        block.paste(detail.resize((_WIDTH, tall), Image.Resampling.BICUBIC), (place, _LINE + tall + _GAP))
    return block


def _picture(image: Tensor) -> Image.Image:
    pixels = (image.expand(3, -1, -1).clamp(0, 1) * 255).round().byte().permute(1, 2, 0).contiguous().numpy()
    return Image.fromarray(pixels)
