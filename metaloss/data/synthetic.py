"""Procedural infrared and visible street scenes with ground truth, for demonstrations and tests.

A person shows in the infrared image alone (in the visible one the silhouette carries exactly what
lies behind it), a sign in the visible image alone (it has the temperature of what lies behind it),
a car in both: a fused image serves all three classes only when it takes from each source what that
source alone knows.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from metaloss.colour import rgb_to_ycbcr
from metaloss.data.images import write_image
from metaloss.errors import ConfigError, nearest

OBJECTS = ("person", "sign", "car")
CONDITIONS = ("day", "night", "haze")
VISIBILITY = {"person": "ir", "sign": "vi", "car": "both"}

_Float = np.float32
_Array = NDArray[Any]
_Paint = tuple[float, float, float] | _Array
# The channels of the canvas: what a place looks like, its heat, its own light, how far it is.
_RGB, _HEAT, _GLOW, _DISTANCE = slice(0, 3), slice(3, 4), slice(4, 5), slice(5, 6)
_HORIZON_DISTANCE = 16.0
_CAMERA_HEIGHT = 3.0  # metres


@dataclass(frozen=True)
class SyntheticScene:
    """One scene with everything that is known about it.

    Attributes:
        ir: the infrared image (1, H, W), float32 in [0, 1].
        vi_rgb: the visible image (3, H, W), float32 in [0, 1].
        mask: class ids (H, W), int64: 0 background, 1 person, 2 sign, 3 car; nearer things cover farther ones.
        boxes: of the objects of which a quarter or more is to be seen, (N, 4) float32 xyxy in pixels,
            tight around the part to be seen.
        labels: of the boxes, (N,) int64: 0 person, 1 sign, 2 car.
        visible_in: of the boxes, each ``"ir"``, ``"vi"`` or ``"both"``.
        condition: ``"day"``, ``"night"`` or ``"haze"``.
    """

    ir: Tensor
    vi_rgb: Tensor
    mask: Tensor
    boxes: Tensor
    labels: Tensor
    visible_in: tuple[str, ...]
    condition: str


class SyntheticScenes(Dataset[dict[str, Any]]):
    """A data set of procedural scenes; scene i depends on nothing but the seed, i and the size.

    An item is a dict with the keys of a ``FusionBatch``: ``sources``, infrared and visible luma, each
    (1, H, W) float32 in [0, 1]; ``chroma`` (2, H, W) in [-0.5, 0.5]; ``names``; and ``target``: class
    ids (H, W) int64 for segmentation, or for detection a dict of ``boxes`` (N, 4) float32 xyxy in
    pixels and ``labels`` (N,) int64, where N may be 0.

    Args:
        length: the number of scenes, at least 1.
        size: height and width in pixels, each at least 32.
        seed: 0 or greater.
        target: ``"segmentation"`` or ``"detection"``.

    Attributes:
        classes: the names of the classes; for segmentation ``"background"`` comes first.
        num_classes: 4 for segmentation, 3 for detection.
        visibility: for each kind of object, the source that shows it: ``"ir"``, ``"vi"`` or ``"both"``.

    Raises:
        ConfigError: an argument is outside what is said above.
    """

    visibility = VISIBILITY

    def __init__(
        self, length: int, *, size: tuple[int, int] = (96, 128), seed: int = 0, target: str = "segmentation"
    ) -> None:
        if length < 1:
            raise ConfigError(f"length={length}: a data set has at least one scene")
        if min(size) < 32:
            raise ConfigError(f"size={tuple(size)}: height and width are at least 32 pixels")
        if seed < 0:
            raise ConfigError(f"seed={seed}: give 0 or a positive number")
        if target not in ("segmentation", "detection"):
            hint = nearest(target, ("segmentation", "detection"))
            raise ConfigError(f"target={target!r}: give 'segmentation' or 'detection'{hint}")
        self.length, self.size, self.seed, self.target = length, (size[0], size[1]), seed, target
        self.classes = OBJECTS if target == "detection" else ("background", *OBJECTS)
        self.num_classes = len(self.classes)

    def __len__(self) -> int:
        """The number of scenes."""
        return self.length

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Draws one scene.

        Args:
            index: its number, from the end where negative.

        Returns:
            The item, as described for the class.

        Raises:
            IndexError: there is no such scene.
        """
        scene = self.scene(index)
        luma, chroma = rgb_to_ycbcr(scene.vi_rgb)
        target = {"boxes": scene.boxes, "labels": scene.labels} if self.target == "detection" else scene.mask
        name = f"{index % self.length:04d}_{scene.condition}"
        return {"sources": (scene.ir, luma.clamp(0, 1)), "target": target, "chroma": chroma, "names": name}

    def scene(self, index: int) -> SyntheticScene:
        """Draws one scene with its whole ground truth.

        Args:
            index: its number, from the end where negative.

        Returns:
            The scene.

        Raises:
            IndexError: there is no such scene.
        """
        if not -self.length <= index < self.length:
            raise IndexError(f"scene {index} of {self.length}")
        return _draw(np.random.default_rng([self.seed, index % self.length]), *self.size)


def write_scenes(root: str | os.PathLike[str], dataset: SyntheticScenes) -> None:
    """Writes the scenes as an example of the folder layout that a paired data set has.

    ``root/ir``, ``root/vi`` and ``root/label`` (class ids) get one PNG file per scene each;
    ``root/train.txt`` and ``root/test.txt`` list the scenes, the last fifth for the test;
    ``root/classes.txt`` names the classes of the label images.

    Args:
        root: the folder to write to; made where missing.
        dataset: the scenes, at least two.

    Raises:
        ConfigError: a single scene cannot be split.
        DataError: a file cannot be written.
    """
    if len(dataset) < 2:
        raise ConfigError("1 scene cannot be split into train.txt and test.txt: give a longer data set")
    root = Path(root)
    names = []
    for index in range(len(dataset)):
        scene = dataset.scene(index)
        names.append(f"{index:04d}_{scene.condition}")
        write_image(root / "ir" / f"{names[-1]}.png", scene.ir)
        write_image(root / "vi" / f"{names[-1]}.png", scene.vi_rgb)
        write_image(root / "label" / f"{names[-1]}.png", scene.mask[None] / 255)
    test = max(1, len(names) // 5)
    for file, lines in (("train", names[:-test]), ("test", names[-test:]), ("classes", ("background", *OBJECTS))):
        (root / f"{file}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


@dataclass(frozen=True)
class _Stage:
    """Where things stand: the ground plane seen from a camera three metres up."""

    rng: np.random.Generator
    height: int
    width: int
    horizon: float
    warmth: float

    @property
    def unit(self) -> float:
        """The size of a pixel of a picture of 96x128, in pixels of this one."""
        return min(self.height / 96, self.width / 128)

    def metre(self, foot: float) -> float:
        """How many pixels a metre has where the ground meets row ``foot``."""
        return min(max((foot - self.horizon) / _CAMERA_HEIGHT, self.unit), 20 * self.unit)

    def foot(self, near: float, far: float) -> float:
        """A random row of the ground; 0 is the horizon and 1 the lower edge."""
        return self.horizon + float(self.rng.uniform(near, far)) * (self.height - self.horizon)


_Kind = tuple[Callable[["_Thing"], None], int, float, float, float, float]


class _Thing:
    """Something that stands on the ground, painted on a window of the canvas; colours premultiplied."""

    def __init__(self, stage: _Stage, x: float, foot: float, reach: float, tall: float, kind: int = 0) -> None:
        self.stage, self.middle, self.foot, self.kind = stage, x, foot, kind
        self.metre = metre = stage.metre(foot)
        left, right = (min(max(int(x + side * reach * metre), 0), stage.width) for side in (-1, 1))
        top, bottom = (min(max(int(foot - up * metre), 0), stage.height) for up in (tall, -0.4))
        self.window = (slice(None), slice(top, bottom), slice(left, right))
        # In metres from the foot, to the right and up.
        self.x = ((np.arange(left, right, dtype=np.float32) + 0.5 - x) / metre)[None, :]
        self.y = ((foot - np.arange(top, bottom, dtype=np.float32) - 0.5) / metre)[:, None]
        self.layers: _Array = np.zeros((6, bottom - top, right - left), np.float32)
        self.alpha: _Array = np.zeros(self.layers.shape[1:], np.float32)
        self.body: _Array = np.zeros(self.layers.shape[1:], np.float32)

    def paint(
        self, shape: _Array, colour: _Paint, heat: float | _Array, glow: float = 0.0, *, shadow: bool = False
    ) -> None:
        """Paints a shape, given as the distance to its edge in metres; a shadow is no part of the body."""
        cover = _cover(shape * self.metre) * _Float(0.5 if shadow else 1)
        plain = isinstance(colour, tuple) and isinstance(heat, (int, float))
        values = np.empty((6, 1, 1) if plain else self.layers.shape, np.float32)
        values[_RGB] = _colour(*colour) if isinstance(colour, tuple) else colour
        values[_HEAT], values[_GLOW], values[_DISTANCE] = heat, glow, _distance(self.stage, self.foot)
        self.layers += cover * (values - self.layers)
        self.alpha += cover * (1 - self.alpha)
        self.body += cover * ((0 if shadow else 1) - self.body)

    def disc(self, x: float, y: float, radius: float) -> _Array:
        return _norm(self.x - x, self.y - y) - _Float(radius)

    def box(self, x: float, y: float, half_width: float, half_height: float, corner: float = 0.0) -> _Array:
        across: _Array = np.abs(self.x - x) - _Float(half_width - corner)
        up: _Array = np.abs(self.y - y) - _Float(half_height - corner)
        inside: _Array = np.minimum(np.maximum(across, up), 0) - _Float(corner)
        return _norm(np.maximum(across, 0), np.maximum(up, 0)) + inside

    def limb(self, start: tuple[float, float], end: tuple[float, float], radius: float) -> _Array:
        (x, y), (dx, dy) = start, (end[0] - start[0], end[1] - start[1])
        along = _unit_range(((self.x - x) * dx + (self.y - y) * dy) / (dx**2 + dy**2))
        return _norm(self.x - x - along * dx, self.y - y - along * dy) - _Float(radius)

    def place(self, canvas: _Array, backdrop: _Array) -> None:
        """Lays the thing on the canvas; a source that does not show it gets the backdrop in its place."""
        layers = self.layers.copy()
        shows = VISIBILITY[OBJECTS[self.kind - 1]] if self.kind else "both"
        behind = backdrop[self.window] * self.alpha
        if shows == "ir":
            behind[_HEAT] = layers[_HEAT]
            layers = behind
        elif shows == "vi":
            layers[_HEAT] = behind[_HEAT]
        canvas[self.window] *= 1 - self.alpha
        canvas[self.window] += layers


def _draw(rng: np.random.Generator, height: int, width: int) -> SyntheticScene:
    condition = CONDITIONS[rng.choice(len(CONDITIONS), p=(0.4, 0.35, 0.25))]
    warmth = {"day": 1.0, "night": 0.72, "haze": 0.85}[condition]
    stage = _Stage(rng, height, width, height * float(rng.uniform(0.34, 0.44)), warmth)
    canvas = _ground(stage)
    lamps = [_lamp(stage, side) for side in (-1, 1) for _ in range(rng.integers(1, 3))]
    houses = [_house(stage) for _ in range(rng.integers(2, 7))]
    trees = [_tree(stage) for _ in range(rng.integers(2, 6))]
    scenery = sorted([*houses, *trees, *lamps], key=lambda thing: thing.foot)
    backdrop = canvas.copy()
    for thing in scenery:
        thing.place(backdrop, backdrop)
    objects = _objects(stage)
    # Which object each pixel shows; -1: none.
    owner = np.full((height, width), -1)
    for thing in sorted([*scenery, *objects], key=lambda thing: thing.foot):
        thing.place(canvas, backdrop)
        number = objects.index(thing) if thing.kind else -1
        here = owner[thing.window[1:]]
        here[thing.alpha > 0.5] = -1
        here[thing.body > 0.5] = number
    kinds = np.array([*(thing.kind for thing in objects), 0])
    boxes, labels = _boxes(objects, owner)
    return SyntheticScene(
        ir=torch.from_numpy(_infrared(stage, canvas[_HEAT])),
        vi_rgb=torch.from_numpy(_visible(stage, canvas, condition, lamps)),
        mask=torch.from_numpy(kinds[owner].astype(np.int64)),
        boxes=torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        labels=torch.tensor(labels, dtype=torch.int64),
        visible_in=tuple(VISIBILITY[OBJECTS[label]] for label in labels),
        condition=condition,
    )


def _boxes(objects: Sequence[_Thing], owner: NDArray[np.int64]) -> tuple[list[list[int]], list[int]]:
    boxes, labels = [], []
    for number, thing in enumerate(objects):
        rows, columns = np.nonzero(owner == number)
        if len(rows) >= max(4, 0.25 * (thing.body > 0.5).sum()):
            boxes.append([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
            labels.append(thing.kind - 1)
    return boxes, labels


def _objects(stage: _Stage) -> list[_Thing]:
    """Draws persons, signs and cars that hide each other in part at most."""
    rng = stage.rng
    # Painter, kind, nearest and farthest place on the ground, reach and height in metres.
    person: _Kind = (_person, 1, 0.3, 0.97, 0.6, 1.9)
    sign: _Kind = (_sign, 2, 0.35, 0.9, 0.8, 3.0)
    cars: list[_Kind] = [(_car_from_side, 3, 0.3, 0.72, 2.4, 1.75), (_car_from_end, 3, 0.3, 0.72, 1.2, 1.75)]
    wanted = [person] * int(rng.integers(0, 5)) + [sign] * int(rng.integers(0, 4))
    wanted += [cars[rng.integers(2)] for _ in range(rng.integers(0, 3))]
    placed: list[_Thing] = []
    for paint, kind, far, near, reach, tall in wanted:
        for _ in range(8):
            x = float(rng.uniform(0.06, 0.94)) * stage.width
            thing = _Thing(stage, x, stage.foot(far, near), reach, tall, kind)
            if all(_overlap(thing, other) < 0.35 for other in placed):
                paint(thing)
                placed.append(thing)
                break
    return placed


def _overlap(one: _Thing, other: _Thing) -> float:
    """The shared part of the smaller window."""
    _, rows, columns = zip(one.window, other.window, strict=True)
    tall, wide = (max(0, min(a.stop, b.stop) - max(a.start, b.start)) for a, b in (rows, columns))
    return float(tall * wide / max(1, min(one.alpha.size, other.alpha.size)))


def _person(person: _Thing) -> None:
    rng, unseen = person.stage.rng, (0.0, 0.0, 0.0)
    stride, swing = float(rng.uniform(0.05, 0.3)), float(rng.uniform(-0.1, 0.1))
    warm = float(rng.normal(0, 0.025))
    for side in (-1, 1):
        person.paint(person.limb((0.08 * side, 0.9), (stride * side, 0.06), 0.11), unseen, 0.76 + warm)
        person.paint(person.limb((0.2 * side, 1.36), (0.27 * side, 0.95 + swing * side), 0.08), unseen, 0.82 + warm)
    person.paint(person.box(0, 1.15, 0.22, 0.32, 0.16), unseen, 0.84 + warm + 0.05 * person.y)
    person.paint(person.disc(0, 1.62, 0.16), unseen, 0.97 + warm)


def _sign(sign: _Thing) -> None:
    white, yellow, red, black = (0.95, 0.95, 0.93), (0.98, 0.83, 0.16), (0.78, 0.1, 0.1), (0.05, 0.05, 0.06)
    sign.paint(sign.limb((0, -0.05), (0, 1.6), 0.06), (0.5, 0.5, 0.52), 0)
    # The post goes with the background: only the board is the sign.
    sign.body[:] = 0
    diamond = (np.abs(sign.x) + np.abs(sign.y - 2.15) - 0.73) / 2**0.5
    triangle = np.maximum(1.05 * np.abs(sign.x) + 0.6 * (sign.y - 2.75), 1.62 - sign.y)
    board, rim, face, border, mark = (
        (sign.disc(0, 2.15, 0.66), red, white, 0.15, sign.box(0, 2.15, 0.26, 0.08)),
        (diamond, black, yellow, 0.09, sign.box(0, 2.15, 0.07, 0.2)),
        (triangle, red, white, 0.13, sign.box(0, 2.05, 0.07, 0.2)),
    )[int(sign.stage.rng.integers(3))]
    for shape, colour in ((board, rim), (board + border, face), (mark, black)):
        sign.paint(shape, colour, 0, 0.5)


_CAR_PAINTS = ((0.9, 0.9, 0.92), (0.66, 0.68, 0.72), (0.74, 0.12, 0.1), (0.14, 0.3, 0.68), (0.95, 0.74, 0.12))
_GLASS, _TYRE, _SHADOW = (0.1, 0.13, 0.18), (0.06, 0.06, 0.07), (0.03, 0.03, 0.04)
_HEADLIGHT, _TAILLIGHT = ((1.0, 0.97, 0.86), 1.3), ((0.95, 0.1, 0.06), 1.0)


def _car_from_side(car: _Thing) -> None:
    paint, forward = _CAR_PAINTS[car.stage.rng.integers(5)], 1 if car.stage.rng.random() < 0.5 else -1
    car.paint(car.box(0, 0.02, 2.15, 0.16, 0.16), _SHADOW, 0.6, shadow=True)
    car.paint(car.box(-0.15 * forward, 1.08, 1.15, 0.42, 0.36), paint, 0.56)
    # Warmer towards the engine.
    car.paint(car.box(0, 0.62, 2.12, 0.34, 0.2), paint, 0.73 + 0.13 * np.tanh(2 * (car.x * forward - 0.9)))
    for x in (-0.72, 0.42):
        car.paint(car.box(x * forward, 1.17, 0.46, 0.21, 0.12), _GLASS, 0.34)
    for x in (-1.3, 1.3):
        car.paint(car.disc(x, 0.34, 0.38), _TYRE, 0.74)
        car.paint(car.disc(x, 0.34, 0.18), (0.6, 0.6, 0.62), 0.88)
    for x, (colour, glow) in ((1.98, _HEADLIGHT), (-2.0, _TAILLIGHT)):
        car.paint(car.box(x * forward, 0.74, 0.12, 0.09, 0.05), colour, 0.7, glow)


def _car_from_end(car: _Thing) -> None:
    paint, (colour, glow) = _CAR_PAINTS[car.stage.rng.integers(5)], (_HEADLIGHT, _TAILLIGHT)[car.stage.rng.integers(2)]
    car.paint(car.box(0, 0.02, 0.95, 0.16, 0.16), _SHADOW, 0.6, shadow=True)
    for x in (-0.66, 0.66):
        car.paint(car.box(x, 0.2, 0.15, 0.2, 0.04), _TYRE, 0.78)
    car.paint(car.box(0, 1.1, 0.74, 0.45, 0.28), paint, 0.54)
    car.paint(car.box(0, 0.66, 0.94, 0.36, 0.16), paint, 0.8 - 0.22 * np.abs(car.x))
    car.paint(car.box(0, 1.2, 0.6, 0.22, 0.1), _GLASS, 0.34)
    for x in (-0.68, 0.68):
        car.paint(car.box(x, 0.78, 0.17, 0.1, 0.05), colour, 0.72, glow)
    car.paint(car.box(0, 0.5, 0.3, 0.09), (0.85, 0.85, 0.8), 0.66)


def _tree(stage: _Stage) -> _Thing:
    rng = stage.rng
    x = float(rng.uniform(0, 0.6))
    tree = _Thing(stage, (x if x < 0.3 else x + 0.4) * stage.width, stage.foot(0.12, 0.4), 2.5, 6.4)
    tree.paint(tree.limb((0, 0), (0, 3), 0.2), (0.3, 0.22, 0.16), 0.36 * stage.warmth)
    blobs = rng.uniform((-0.9, 3, 0.9), (0.9, 4.6, 1.4), (5, 3)).tolist()
    crown: _Array = np.minimum.reduce([tree.disc(*blob) for blob in blobs])
    leaves = _noise(rng, crown.shape, 2.2 * stage.unit)
    green = _colour(rng.uniform(0.18, 0.34), rng.uniform(0.36, 0.46), 0.14)
    light = 1 + 0.22 * leaves + 0.3 * _unit_range(-crown) + 0.06 * (tree.y - 3.8)
    tree.paint(crown + 0.14 * leaves, light * green, (0.31 + 0.02 * leaves) * stage.warmth)
    return tree


def _lamp(stage: _Stage, side: int) -> _Thing:
    x = (0.5 + side * float(stage.rng.uniform(0.16, 0.46))) * stage.width
    lamp = _Thing(stage, x, stage.foot(0.12, 0.45), 1.3, 5.6)
    post, heat = (0.33, 0.34, 0.36), 0.4 * stage.warmth
    lamp.paint(lamp.limb((0, 0), (0, 5), 0.08), post, heat)
    lamp.paint(lamp.limb((0, 5), (-0.8 * side, 5.2), 0.08), post, heat)
    lamp.paint(lamp.box(-0.8 * side, 5.12, 0.32, 0.13, 0.1), (1.0, 0.93, 0.72), heat + 0.08, 1.4)
    return lamp


def _ground(stage: _Stage) -> _Array:
    """Sky, hills, meadow and road: what is there before anything stands on it."""
    rng, horizon, unit = stage.rng, stage.horizon, stage.unit
    shape = (stage.height, stage.width)
    y = (np.arange(stage.height, dtype=np.float32) + 0.5)[:, None]
    x = (np.arange(stage.width, dtype=np.float32) + 0.5)[None, :]
    canvas = np.zeros((6, *shape), np.float32)
    canvas[_DISTANCE] = _distance(stage, y)

    def lay(cover: _Array, colour: _Array, heat: float | _Array) -> None:
        canvas[_RGB] += cover * (colour - canvas[_RGB])
        canvas[_HEAT] += cover * (heat * stage.warmth - canvas[_HEAT])

    high = _unit_range(1 - y / horizon)
    clouds = 0.28 * _unit_range(0.5 * _noise(rng, shape, 6 * unit, 20 * unit))
    sky = _colour(0.78, 0.85, 0.91) - high * _colour(0.44, 0.3, 0.06)
    lay(np.ones(shape, np.float32), sky + clouds * (1 - sky), 0.2 - 0.12 * high + 0.25 * clouds)
    hills = horizon - unit * (5 + 2.5 * _noise(rng, (1, stage.width), 1, 16 * unit)) - y
    lay(_cover(hills), _colour(0.38, 0.48, 0.47) + 0.015 * _noise(rng, shape, 3 * unit)[None], 0.27)
    near = _unit_range((y - horizon) / (stage.height - horizon))
    grass = 0.08 * _noise(rng, shape, 14 * unit) + 0.07 * _noise(rng, shape, 4 * unit)
    grass += (0.04 + 0.09 * near) * _noise(rng, shape, 1.5 * unit)
    tone = _colour(0.33, 0.41, 0.19) + _Float(rng.random()) * _colour(0.2, 0.06, 0.07)
    lay(_cover(horizon - y), tone * (1 + grass), 0.4 + 0.2 * grass)
    reach = stage.width * (0.012 + 0.3 * near)
    middle = stage.width * (_Float(rng.uniform(0.42, 0.58)) + (near - 0.3) * _Float(rng.uniform(-0.2, 0.2)))
    side = np.abs(x - middle)
    asphalt = 0.36 + 0.025 * _noise(rng, shape, 1.2 * unit) + 0.025 * _noise(rng, shape, 10 * unit)
    on_road = _cover(np.maximum(side - reach, horizon + unit - y))
    lay(on_road, asphalt * _colour(1, 1, 1.05), 0.33 + 0.4 * asphalt)
    dashed = np.sin(3.2 / (near + 0.06) + rng.uniform(0, 6)) > 0
    lines = np.maximum(_cover(side - 0.025 * reach) * dashed, _cover(np.abs(side - 0.92 * reach) - 0.02 * reach))
    canvas[_RGB] += 0.7 * lines * (y > horizon + unit) * (0.8 - canvas[_RGB])
    return canvas


def _house(stage: _Stage) -> _Thing:
    rng = stage.rng
    half, storeys = 2 * int(rng.integers(2, 7)), int(rng.integers(2, 6))
    tall = 5 * storeys
    house = _Thing(stage, rng.uniform(0, 1) * stage.width, stage.horizon + stage.unit, half + 2, tall + half)
    walls = ((0.66, 0.58, 0.5), (0.6, 0.42, 0.36), (0.56, 0.58, 0.6), (0.72, 0.68, 0.58))
    house.paint(house.box(0, tall / 2, half, tall / 2), walls[rng.integers(4)], 0.43 * stage.warmth)
    if storeys < 4:
        roof = np.maximum(np.abs(house.x) - half - 1.5 + (house.y - tall) * 1.3, tall - house.y)
        house.paint(roof, (0.45, 0.25, 0.2), 0.35 * stage.warmth)
    rows, columns = (house.y // 5).astype(int), (house.x // 4).astype(int)
    panes = np.maximum(np.abs(house.x % 4 - 2) - 1.2, np.abs(house.y % 5 - 2.6) - 1.5)
    panes = np.where((rows >= 0) & (rows < storeys) & (np.abs(columns + 0.5) < half / 4), panes, _Float(9))
    lit = rng.random((storeys, half)) < 0.3
    lights = lit[np.clip(rows, 0, storeys - 1), columns % half]
    house.paint(panes, (0.2, 0.25, 0.32), 0.5 * stage.warmth)
    house.paint(np.where(lights, panes, _Float(9)), (0.34, 0.32, 0.27), 0.52 * stage.warmth, 1.6)
    return house


def _visible(stage: _Stage, canvas: _Array, condition: str, lamps: Sequence[_Thing]) -> _Array:
    """What the camera for visible light makes of the canvas: (3, H, W) in [0, 1]."""
    rng, rgb, noise = stage.rng, canvas[_RGB], _Float(0.018)
    if condition == "haze":
        clear = np.exp(-0.22 * canvas[_DISTANCE])
        rgb = rgb * clear + (1 - clear) * _colour(0.76, 0.78, 0.8)
    if condition == "night":
        noise = _Float(0.03)
        y = np.arange(stage.height, dtype=np.float32)[:, None]
        x = np.arange(stage.width, dtype=np.float32)[None, :]
        light = np.zeros((3, *canvas.shape[1:]), np.float32) + _colour(0.15, 0.18, 0.26)
        for lamp in lamps:
            pool = _norm((x - lamp.middle) / (4.5 * lamp.metre), (y - lamp.foot) / (1.6 * lamp.metre))
            light += np.exp(-(pool**2)) * _colour(0.55, 0.46, 0.3)
        own = rgb * canvas[_GLOW]
        rgb = rgb * light + own + _blur(own, 2 * stage.unit) + 0.9 * _blur(own, 6 * stage.unit)
    grain = rng.standard_normal(rgb.shape, dtype=np.float32)
    return _unit_range(rgb + noise * grain)


def _infrared(stage: _Stage, heat: _Array) -> _Array:
    """What a thermal camera makes of the heat: soft, with drift, stripes and noise; (1, H, W) in [0, 1]."""
    rng = stage.rng
    drift = 0.02 * _noise(rng, (stage.height, stage.width), 50 * stage.unit)
    stripes = 0.005 * rng.standard_normal((1, stage.width), dtype=np.float32)
    noise = 0.012 * rng.standard_normal(heat.shape, dtype=np.float32)
    return _unit_range(_blur(heat, 0.6 * stage.unit) + drift + stripes + noise)


def _distance(stage: _Stage, foot: Any) -> Any:
    """How far a place on the ground is, by its row: 1 at the lower edge of the picture."""
    near = (foot - stage.horizon) / (stage.height - stage.horizon)
    return 1 / np.maximum(near, 1 / _HORIZON_DISTANCE)


def _norm(x: _Array, y: _Array) -> _Array:
    length: _Array = np.sqrt(x * x + y * y)
    return length


def _unit_range(values: _Array) -> _Array:
    limited: _Array = np.minimum(np.maximum(values, 0), 1)
    return limited


def _cover(distance: _Array) -> _Array:
    """How much of each pixel lies inside a shape, from the distance to its edge in pixels."""
    return _unit_range(_Float(0.5) - distance)


def _noise(rng: np.random.Generator, shape: tuple[int, ...], cell: float, across: float | None = None) -> _Array:
    """Smooth noise (H, W) of zero mean and unit variance, with blobs of ``cell`` pixels."""
    rows, columns = _knots(shape[0], cell), _knots(shape[1], across or cell)
    grid = rng.standard_normal((rows.shape[1], columns.shape[1]), dtype=np.float32)
    noise: _Array = rows @ grid @ columns.T
    return noise


@lru_cache(maxsize=64)
def _knots(length: int, cell: float) -> _Array:
    knots = np.arange(-1, length / cell + 2, dtype=np.float32)
    weights = np.exp(-2 * ((np.arange(length, dtype=np.float32)[:, None] + 0.5) / cell - knots) ** 2)
    normal: _Array = weights / np.sqrt((weights**2).sum(1, keepdims=True))
    return normal


def _blur(image: _Array, sigma: float) -> _Array:
    """Blurs (C, H, W) by a Gaussian of ``sigma`` pixels."""
    rows, columns = _kernel(image.shape[1], sigma), _kernel(image.shape[2], sigma)
    return np.stack([rows @ channel @ columns.T for channel in image])


@lru_cache(maxsize=16)
def _kernel(length: int, sigma: float) -> _Array:
    place = np.arange(length, dtype=np.float32)
    weights = np.exp(-((place[:, None] - place) ** 2) / (2 * sigma**2))
    normal: _Array = weights / weights.sum(1, keepdims=True)
    return normal


def _colour(red: float, green: float, blue: float) -> _Array:
    return np.array((red, green, blue), np.float32)[:, None, None]
