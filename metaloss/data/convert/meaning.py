"""What the numbers of masks stand for: colours by a list, ids by their names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from metaloss.data.convert.colours import channels, nearest_colour, read_colours, shown
from metaloss.data.convert.names import names_beside
from metaloss.data.convert.pixels import palettes_agree
from metaloss.data.ignored import IGNORED
from metaloss.data.images import read_image
from metaloss.errors import ConfigError, DataError

AUTO = "auto"
_LIMIT = 255  # ids of a mask: 0 to 254
_SHOWN = 5
_FAR = 50  # between two ids; grey values that were spread to be seen


@dataclass(frozen=True)
class Meaning:
    """What the numbers of a source's pixels stand for.

    Attributes:
        coloured: whether they are colours; else ids.
        names: the class of each known number.
        where: what lists them.
        listed: whether a file does; else they are what was found.
    """

    coloured: bool
    names: Mapping[int, str]
    where: str
    listed: bool


def are_coloured(path: Path, files: Sequence[Path], colours: str | None) -> bool:
    """Tells colour-coded masks from masks of ids.

    Args:
        path: what was given, for messages.
        files: the masks.
        colours: a list of colours, which says that they are coloured; ``"auto"``, or ``None``.

    Raises:
        ConfigError: colours are to be found in palette images whose indices are ids.
        DataError: a file cannot be read.
    """
    if colours not in (None, AUTO):
        return True
    agree = palettes_agree(files)
    if agree and colours == AUTO:
        raise needless(path, files, {})
    if agree is not None:
        return not agree
    return colours == AUTO or any(len(read_image(file)) == 3 for file in files)


def needless(path: Path, files: Sequence[Path], total: Mapping[int, int]) -> ConfigError:
    """The error of a conversion that would change nothing.

    Args:
        path: of the masks.
        files: they themselves.
        total: how many pixels each id has, where they were counted.
    """
    ids = sorted(total)
    shown = ", ".join(map(str, ids[:_SHOWN])) + (" ..." if len(ids) > _SHOWN else "")
    what = "indices of one palette" if palettes_agree(files) else f"grey values {shown}"
    classes = [number for number in ids if number != IGNORED] if len(ids) > 2 else ids
    if any(second - first >= _FAR for first, second in pairwise(classes)):
        return ConfigError(
            f"{path}: masks of {what}, too far apart for ids: --colours auto numbers them anew, or --classes "
            f"background={ids[0]},object={ids[-1]} and the like names them; PairedDataset takes them as they are"
        )
    number = f"{len(files)} mask{'s' * (len(files) > 1)}"
    return ConfigError(
        f"{path}: the pixels of {number} are class ids already ({what}): no conversion is "
        "needed, PairedDataset reads them; --classes keeps some classes, --colours FILE goes by their colours"
    )


def listed_colours(colours: str) -> Meaning:
    """Names colours by a list in a file.

    Raises:
        DataError: it cannot be read.
    """
    return Meaning(True, read_colours(Path(colours)), f"the colours in {colours}", True)


def found_colours(path: Path, total: Mapping[int, int]) -> Meaning:
    """Names the colours of masks by their numbers, in the order of red, then green, then blue: black comes first.

    Args:
        path: of the masks, for messages.
        total: how many pixels each colour has.

    Raises:
        DataError: there are too many for classes.
    """
    if len(total) > _LIMIT:
        most = ", ".join(shown(number) for number, _ in Counter(total).most_common(_SHOWN))
        raise DataError(
            f"{path}: {len(total)} colours, the most frequent {most}: smoothed edges, or no masks; list the colours of "
            "the classes in a file for --colours, and give --others nearest"
        )
    names = {number: "rgb_{}_{}_{}".format(*channels(number)) for number in sorted(total)}
    return Meaning(True, names, f"the colours in {path}", False)


def named_ids(path: Path, total: Mapping[int, int], classes: str) -> Meaning:
    """Names ids: by a file beside the masks, or by their numbers; 255 has a name only where ``classes`` says it.

    Args:
        path: of the masks.
        total: how many pixels each id has.
        classes: which are kept.

    Raises:
        DataError: the names cannot be read.
        ConfigError: there is none in their file, or one twice.
    """
    names, file = names_beside(path)
    if file is not None:
        return Meaning(False, dict(enumerate(names)), f"the classes in {file}", True)
    named = str(IGNORED) in classes.replace("=", ",").replace("+", ",").split(",")
    ids = {number: str(number) for number in sorted(total) if number != IGNORED or named}
    return Meaning(False, ids, f"the ids in {path}", False)


def unknown_numbers(meaning: Meaning, total: Mapping[int, int]) -> list[int]:
    """The numbers that stand for nothing; of ids 255 does: for no class."""
    return [number for number in total if number not in meaning.names and (meaning.coloured or number != IGNORED)]


def refusal(
    files: Sequence[Path], found: Sequence[Mapping[int, int]], unknown: Sequence[int], meaning: Meaning
) -> DataError:
    """Names the first file with something unknown in it, and what is the most frequent of that.

    Args:
        files: the masks.
        found: per file, how many pixels each number has.
        unknown: at least one number.
        meaning: of the others.
    """
    strange = set(unknown)
    bad = [number for number, one in enumerate(found) if strange & one.keys()]
    first = found[bad[0]]
    number = max(strange & first.keys(), key=lambda one: (first[one], -one))
    spoken, hint, choice = f"id {number}", "", "ignore or --others background"
    if meaning.coloured:
        close = nearest_colour(number, list(meaning.names))
        spoken, choice = f"colour {shown(number)}", "nearest, --others ignore or --others background"
        hint = f"; the nearest is {shown(close)}, {meaning.names[close]}"
    others = len(strange & first.keys()) - 1
    rest = f", and {others} more unknown" if others else ""
    rest += f"; {len(bad) - 1} more such file{'s' * (len(bad) > 2)}" if len(bad) > 1 else ""
    pixels = f"{first[number]} pixel{'s' * (first[number] > 1)}"
    return DataError(
        f"{files[bad[0]]}: {spoken} in {pixels} is none of {meaning.where}{hint}{rest}: correct the masks or the list, "
        f"or say --others {choice}"
    )
