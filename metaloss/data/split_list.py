"""Lists of scenes as people have them: stems, file names, paths of any system, several columns."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from metaloss.data.list_lines import flag_of, last_part, without_columns, without_suffix
from metaloss.data.texts import read_text
from metaloss.errors import DataError


class Line(NamedTuple):
    """A line that lists a scene.

    Attributes:
        number: counted from 1.
        text: without the spaces around it.
    """

    number: int
    text: str


def place_of_list(split: str | os.PathLike[str], *folders: Path) -> Path:
    """Finds a list: in one of some folders, else where Python runs.

    Args:
        split: its name, or a path; absolute, or relative to any of these.
        folders: at least one, in the order in which they are looked through.

    Returns:
        Where it is; in the first folder where it is nowhere.
    """
    places = [*(folder / split for folder in folders), Path(split).absolute()]
    return next((place for place in places if place.is_file()), places[0])


def read_split(path: Path, places: Sequence[Mapping[str, Path]]) -> list[str]:
    """Reads which scenes a list names.

    A line is a scene's name, or the stem, name or path (of this or another system, from anywhere) of one of its files;
    also of several of its files, with columns as in TDFusion's lists (``name x1,y1,x2,y2,class ...``) or Pascal VOC's
    (``name 1``) after it. Empty lines and those that begin with ``#`` are passed over.

    Args:
        path: of the list, UTF-8.
        places: the files of each source by the scene's name.

    Returns:
        The scenes' names in the order of the list; a line that names none of them stays as it is.

    Raises:
        DataError: not such a file, nothing in it, a scene twice, or a line that may name several scenes; it is named.
    """
    names, complaints = read_whole_lines(path, places)
    for complaint in complaints:
        raise complaint
    return names


def read_whole_lines(path: Path, places: Sequence[Mapping[str, Path]]) -> tuple[list[str], list[DataError]]:
    """Reads a list as :func:`read_split` does, and passes over the lines that it refuses.

    Args:
        path: of the list, UTF-8.
        places: the files of each source by the scene's name.

    Returns:
        The scenes' names, and what is wrong with each other line.

    Raises:
        DataError: not such a file, or nothing in it.
    """
    scenes = _Scenes(places)
    found: dict[str, Line] = {}
    complaints: list[DataError] = []
    for line in _lines(path):
        try:
            name = _scene(line, scenes, path)
        except DataError as error:
            complaints.append(error)
            continue
        if line.text.startswith("#"):
            if name is not None:
                complaints.append(
                    DataError(
                        f"{path}, line {line.number}: {line.text!r} is a comment, and the name of a scene: rename "
                        "that, or leave the line out"
                    )
                )
            continue
        name = without_columns(line.text) if name is None else name
        if name in found:
            complaints.append(
                DataError(
                    f"{path}: {name!r} is listed twice, in lines {found[name].number} and {line.number}; remove one "
                    "of the lines"
                )
            )
            continue
        found[name] = line
    if not found and not complaints:
        raise DataError(f"{path}: the split lists nothing; write one stem per line, or leave split= out for all files")
    return list(found), complaints


def _lines(path: Path) -> Iterator[Line]:
    lines = read_text(path, "one scene per line", "split file").split("\n")
    return (Line(number, line.strip()) for number, line in enumerate(lines, 1) if line.strip())


class _Scenes:
    """Scenes by all that a list may call them."""

    def __init__(self, places: Sequence[Mapping[str, Path]]) -> None:
        self.places = places
        self.known: dict[str, list[str]] = {}
        for place in places:
            for name, file in place.items():
                for word in (name, file.stem):
                    names = self.known.setdefault(word, [])
                    if name not in names:
                        names.append(name)

    def named(self, entry: str) -> set[str]:
        """The scenes that an entry may stand for."""
        last = last_part(entry)
        words = {entry, last, without_suffix(last)}
        found = {name for word in words for name in self.known.get(word, ())}
        if len(found) > 1 and last != entry:
            at = {name for name in found if self._is_at(name, entry)}
            return at or found
        return found

    def of_one(self, text: str) -> set[str]:
        """The same for a text that may have spaces; none where it is the names of several files."""
        several = text not in self.known and any(without_suffix(column) != column for column in _columns(text)[:-1])
        return set() if several else self.named(text)

    def _is_at(self, name: str, entry: str) -> bool:
        """Whether the path of one of a scene's files ends as the entry does."""
        path = without_suffix(entry.replace("\\", "/"))
        files = [place[name] for place in self.places if name in place]
        return any(
            without_suffix(Path(os.path.abspath(file)).as_posix()).endswith(f"/{path.lstrip('/')}") for file in files
        )


def _scene(line: Line, scenes: _Scenes, path: Path) -> str | None:
    """The scene of a line, or ``None`` where it names none.

    Raises:
        DataError: it may be several, or has a column that says that it does not belong.
    """
    whole, flag = scenes.of_one(line.text), flag_of(line.text)
    found = whole | scenes.of_one(without_columns(line.text))
    columns = _columns(line.text)
    each = [scenes.named(column) for column in columns]
    if len(columns) > 1 and all(each):
        found |= set.union(*each)
    if len(found) > 1:
        shown = " or ".join(map(repr, sorted(found)[:3]))
        raise DataError(f"{path}, line {line.number}: {line.text!r} may be the scene {shown}: write which one")
    if found and flag and not whole and flag[1] != 1:
        raise DataError(
            f"{path}, line {line.number}: {line.text!r} is of a list of one class, as Pascal VOC has them, and says "
            f"that {flag[0]!r} is not of it: give the list of all images, of one column, or only the lines with 1"
        )
    return next(iter(found), None)


def _columns(text: str) -> list[str]:
    return re.split(r"[\s,;]+", text)
