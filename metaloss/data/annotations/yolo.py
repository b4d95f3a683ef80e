"""YOLO's text files: one line ``class x_centre y_centre width height`` per box, in parts of the image."""

from __future__ import annotations

from pathlib import Path

from metaloss.data.annotations.annotation import Annotation
from metaloss.errors import DataError

_TOLERANCE = 1e-3  # files are written with a few digits; what reaches over the border is cut
_ENDLESS = 2**31  # more classes than anybody has
_FORM = "expected `class x_centre y_centre width height`, in parts of the image"


def read_yolo(path: Path, num_classes: int = 0) -> Annotation:
    """Reads one file; an empty one is an image without objects.

    Args:
        path: the file.
        num_classes: how many classes there are; 0 when unknown.

    Raises:
        DataError: not text, or a line that cannot be right; file and line are named.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as text; {_FORM}") from error
    rows = [(number, line.split()) for number, line in enumerate(lines, 1) if line.strip()]
    read = [_box(words, f"{path}, line {number}", num_classes) for number, words in rows]
    return Annotation(path, tuple(box for _, box in read), tuple(label for label, _ in read), normalised=True)


def _box(words: list[str], where: str, num_classes: int) -> tuple[int, tuple[float, float, float, float]]:
    if len(words) != 5:
        kind = "; polygons are not boxes" if len(words) > 6 and len(words) % 2 else ""
        raise DataError(f"{where}: {len(words)} values{kind}; {_FORM}")
    try:
        label, (x, y, width, height) = float(words[0]), map(float, words[1:])
    except ValueError:
        raise DataError(f"{where}: {' '.join(words)!r} is not five numbers; {_FORM}") from None
    if not label.is_integer() or not 0 <= label < (num_classes or _ENDLESS):
        known = f"0..{num_classes - 1} ({num_classes} classes)" if num_classes else "a whole number from 0"
        raise DataError(f"{where}: class {words[0]}; expected {known}")
    values = (x, y, width, height)
    if not all(-_TOLERANCE <= value <= 1 + _TOLERANCE for value in values):
        raise DataError(f"{where}: {' '.join(words[1:])} lies outside 0..1; {_FORM}")
    if min(width, height) < 0:
        raise DataError(f"{where}: a box {width:g} wide and {height:g} high; {_FORM}")
    return int(label), (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
