"""The labelled objects: persons, signs and cars."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from metaloss.data.synthetic.stage import Stage
from metaloss.data.synthetic.thing import Thing

_CAR_PAINTS = ((0.9, 0.9, 0.92), (0.66, 0.68, 0.72), (0.74, 0.12, 0.1), (0.14, 0.3, 0.68), (0.95, 0.74, 0.12))
_GLASS, _TYRE, _SHADOW = (0.1, 0.13, 0.18), (0.06, 0.06, 0.07), (0.03, 0.03, 0.04)
_HEADLIGHT, _TAILLIGHT = ((1.0, 0.97, 0.86), 1.3), ((0.95, 0.1, 0.06), 1.0)

_Kind = tuple[Callable[[Thing], None], int, float, float, float, float]


def place_objects(stage: Stage) -> list[Thing]:
    """Draws persons, signs and cars that hide each other in part at most."""
    rng = stage.rng
    # Painter, kind, nearest and farthest place on the ground, reach and height in metres.
    person: _Kind = (_person, 1, 0.3, 0.97, 0.6, 1.9)
    sign: _Kind = (_sign, 2, 0.35, 0.9, 0.8, 3.0)
    cars: list[_Kind] = [(_car_from_side, 3, 0.3, 0.72, 2.4, 1.75), (_car_from_end, 3, 0.3, 0.72, 1.2, 1.75)]
    wanted = [person] * int(rng.integers(0, 5)) + [sign] * int(rng.integers(0, 4))
    wanted += [cars[rng.integers(2)] for _ in range(rng.integers(0, 3))]
    placed: list[Thing] = []
    for paint, kind, far, near, reach, tall in wanted:
        for _ in range(8):
            x = float(rng.uniform(0.06, 0.94)) * stage.width
            thing = Thing(stage, x, stage.foot(far, near), reach, tall, kind)
            if all(_overlap(thing, other) < 0.35 for other in placed):
                paint(thing)
                placed.append(thing)
                break
    return placed


def _overlap(one: Thing, other: Thing) -> float:
    """The shared part of the smaller window."""
    _, rows, columns = zip(one.window, other.window, strict=True)
    tall, wide = (max(0, min(a.stop, b.stop) - max(a.start, b.start)) for a, b in (rows, columns))
    return float(tall * wide / max(1, min(one.alpha.size, other.alpha.size)))


def _person(person: Thing) -> None:
    rng, unseen = person.stage.rng, (0.0, 0.0, 0.0)
    stride, swing = float(rng.uniform(0.05, 0.3)), float(rng.uniform(-0.1, 0.1))
    warm = float(rng.normal(0, 0.025))
    for side in (-1, 1):
        person.paint(person.limb((0.08 * side, 0.9), (stride * side, 0.06), 0.11), unseen, 0.76 + warm)
        person.paint(person.limb((0.2 * side, 1.36), (0.27 * side, 0.95 + swing * side), 0.08), unseen, 0.82 + warm)
    person.paint(person.box(0, 1.15, 0.22, 0.32, 0.16), unseen, 0.84 + warm + 0.05 * person.y)
    person.paint(person.disc(0, 1.62, 0.16), unseen, 0.97 + warm)


def _sign(sign: Thing) -> None:
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


def _car_from_side(car: Thing) -> None:
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


def _car_from_end(car: Thing) -> None:
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
