"""What an id or a name in a label file is in a data set's items: a class, nothing that counts, or an error."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import torch
from torch import Tensor

from metaloss.data.class_names import Classes, class_names
from metaloss.data.ignored import IGNORED
from metaloss.errors import ConfigError, DataError, MetaLossError, nearest, one_of

NO_CLASS = -1  # in answers
FAR = 100  # between 0 and the other value of a mask of black and white
Others = Literal["error", "drop"]
Ids = int | Sequence[int]
_SHOWN = 3


@dataclass(frozen=True)
class ClassChoice:
    """The classes of a data set, and what becomes of all else in its label files.

    Attributes:
        names: in the order of the ids in items; empty when unknown.
        ignore: ids in files that stand for "no class".
        others: what a class that is not among ``names`` is: an ``"error"``, or left out (``"drop"``).
        known: the names of the ids in files where ``names`` picks or orders them; empty where the ids are the same.

    Raises:
        ConfigError: ``others`` is neither, or nothing is known that it could leave out.
    """

    names: tuple[str, ...] = ()
    ignore: tuple[int, ...] = (IGNORED,)
    others: Others = "error"
    known: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        one_of("others", self.others, get_args(Others))
        if self.others == "drop" and not self.names:
            raise ConfigError("others='drop' leaves out what is not among the classes: give classes=")

    @staticmethod
    def of(
        root: Path,
        classes: Classes,
        *,
        ignore: Ids = IGNORED,
        others: Others = "error",
        by_name: bool = False,
        own: tuple[str, ...] = (),
    ) -> ClassChoice:
        """Makes the choice of a data set.

        Where ``root/classes.txt`` (or ``data.yaml``) names all that ``classes`` names, ids in files are those of that
        file, and ``classes`` picks from it and orders it. A file of names that is given is what names the ids.

        Args:
            root: the data's folder.
            classes: see :func:`metaloss.data.class_names.class_names`.
            ignore: one id, or several.
            others: as above.
            by_name: whether the label files have names, and no ids.
            own: the data's own names of the ids in files, where they are known without a file of names.

        Raises:
            ConfigError: something that cannot be used, or names that stand for other ids in the data's own file.
            DataError: the file of names cannot be read.
        """
        names, ignored = class_names(root, classes), ignored_ids(ignore)
        if by_name and ignored != (IGNORED,):
            raise ConfigError(
                f"ignore={ignore!r}: these labels have classes by name: name the classes that count with classes=, "
                "and leave the others out with others='drop'"
            )
        picks = not by_name and classes is not None and not isinstance(classes, (int, str, os.PathLike))
        given = names if picks else ()
        return ClassChoice(names, ignored, others, _known(root, given, own))

    @property
    def count(self) -> int:
        """How many ids there are in files; 0 when unknown."""
        return len(self.known or self.names)

    @property
    def expected(self) -> str:
        """The ids of classes in files, in words."""
        if not self.count:
            return "a whole number from 0"
        return f"0..{self.count - 1} ({self.count} class{'es' * (self.count > 1)})"

    def number(self, found: int) -> int | None:
        """Says what an id in a file is.

        Args:
            found: the id.

        Returns:
            The class in items; ``NO_CLASS`` for what does not count; ``None`` for what must not be there.
        """
        if found in self.ignore and not (found == IGNORED and found < self.count):  # some have more than 255 classes
            return NO_CLASS
        if not self.names:
            return found if found >= 0 else None
        if 0 <= found < self.count:
            name = (self.known or self.names)[found]
            if name in self.names:
                return self.names.index(name)
        return NO_CLASS if self.others == "drop" else None

    def of_id(self, found: int, where: str) -> int:
        """Says what the id of a box is.

        Args:
            found: the id.
            where: file and place, for the message.

        Returns:
            The class in items, or ``NO_CLASS``.

        Raises:
            DataError: no such class.
        """
        number = self.number(found)
        if number is not None:
            return number
        if 0 <= found < self.count:
            raise DataError(f"{where}: class {self.label(found)} is not among {', '.join(self.names)}{self._cure()}")
        from_one = ", and ids count from 0" if found == self.count else ""
        raise DataError(f"{where}: class {found}; expected {self.expected}{from_one}{self._cure()}")

    def of_name(self, found: str, where: str) -> int:
        """Says what the name of a box's class is.

        Args:
            found: as the file has it.
            where: file and place, for the message.

        Returns:
            The class in items, or ``NO_CLASS``.

        Raises:
            DataError: no such class.
        """
        if found in self.names:
            return self.names.index(found)
        if self.others == "drop":
            return NO_CLASS
        raise DataError(
            f"{where}: class {found!r} is not among {', '.join(self.names)}{nearest(found, self.names)}; correct the "
            "label, or name all classes with classes=, or leave the others out with others='drop'"
        )

    def of_mask(self, ids: Tensor, file: Path) -> Tensor:
        """Renumbers the ids of a mask.

        Args:
            ids: (H, W) int64, as the file has them.
            file: for the message.

        Returns:
            (H, W) int64, 255 where no class counts.

        Raises:
            DataError: an id that is no class and not ignored.
        """
        found = histogram(ids)
        self.check_mask(found, file)
        numbers = {old: self.number(old) for old in found}
        left_out = [old for old, new in numbers.items() if new == NO_CLASS and old != IGNORED]
        result = ids.masked_fill(torch.isin(ids, ids.new_tensor(left_out)), IGNORED) if left_out else ids.clone()
        for old, new in numbers.items():
            if new is not None and new not in (old, NO_CLASS):
                result[ids == old] = new
        return result

    def check_mask(self, found: Collection[int], file: Path) -> None:
        """Checks the ids that a mask holds.

        Args:
            found: the ids, each once.
            file: for the message.

        Raises:
            DataError: an id that is no class and not ignored.
        """
        wrong = sorted(each for each in found if self.number(each) is None)
        if not wrong:
            return
        shown = ", ".join(map(self.label, wrong[:_SHOWN])) + (" ..." if len(wrong) > _SHOWN else "")
        if not self.names:
            raise DataError(f"{file}: class id {shown} is negative: correct the label, or give ignore= that holds it")
        if wrong[-1] < self.count and wrong[0] >= 0:
            raise DataError(f"{file}: class id {shown} is not among {', '.join(self.names)}{self._cure()}")
        raise DataError(
            f"{file}: class id {shown} is outside {self.expected} and is not the ignored "
            f"id {', '.join(map(str, self.ignore)) or 'none'}: correct the label, or give classes= or ignore= that "
            f"hold it, or others='drop'{binary_hint(found)}{self._hint_of_one(found)}"
        )

    def label(self, found: int) -> str:
        """An id, and the name that it has in files where that is known."""
        names = self.known or self.names
        return f"{found} ({names[found]})" if 0 <= found < len(names) and names[found] != str(found) else str(found)

    def _hint_of_one(self, found: Collection[int]) -> str:
        """A hint for a mask whose ids count from 1."""
        ids = [each for each in found if each not in self.ignore]
        if not ids or min(ids) < 1 or max(ids) != self.count:
            return ""
        renamed = ",".join(f"{name}={number}" for number, name in enumerate(self.names, 1))
        return (
            f" (ids count from 0: if these count from 1, `metaloss data convert IN OUT --classes {renamed}` renumbers)"
        )

    def _cure(self) -> str:
        return ": name all classes with classes=, or leave the others out with others='drop'" if self.names else ""


def ignored_ids(ignore: Ids) -> tuple[int, ...]:
    """Reads which ids stand for "no class".

    Args:
        ignore: one whole number, or several, or none of them: ``()``.

    Raises:
        ConfigError: anything else.
    """
    several = ignore if isinstance(ignore, (list, tuple, set, frozenset, range)) else (ignore,)
    if any(isinstance(each, bool) or not isinstance(each, int) for each in several):
        raise ConfigError(f"ignore={ignore!r}: expected a class id, a whole number, or several of them: (0, 255)")
    return tuple(dict.fromkeys(several))


def histogram(ids: Tensor) -> dict[int, int]:
    """Counts pixels by id.

    Args:
        ids: int64, of any shape.

    Returns:
        Pixels by id, ids in their order; those with pixels only.
    """
    if not ids.numel():
        return {}
    lowest = min(int(ids.min()), 0)
    counts = torch.bincount((ids - lowest).flatten()) if int(ids.max()) - lowest < 2**20 else None
    if counts is None:  # 32-bit files hold anything
        values, counts = ids.unique(return_counts=True)
        return dict(zip(values.tolist(), counts.tolist(), strict=True))
    present = counts.nonzero().flatten()
    return dict(zip((present + lowest).tolist(), counts[present].tolist(), strict=True))


def binary_hint(found: Collection[int]) -> str:
    """A hint for a mask of black and white that was meant as one of the ids 0 and 1."""
    if len(found) == 2 and min(found) == 0 and max(found) >= FAR:
        high = max(found)
        command = f"`metaloss data convert IN OUT --classes 0,{high}`"
        return f" (0 and {high} alone: if these are 0 and 1, {command} writes them)"
    return ""


def _known(root: Path, names: tuple[str, ...], own: tuple[str, ...]) -> tuple[str, ...]:
    """The data's own names of ids, where the given names pick or order them."""
    try:
        own = own or class_names(root, None) if names else ()
    except MetaLossError:  # it is not asked for
        return ()
    shared = [name for name in names if name in own]
    if len(shared) == len(names):
        return () if own == names else own
    strange = next(name for name in names if name not in own)
    moved = [name for name in shared if own.index(name) != names.index(name)]
    if moved:
        raise ConfigError(
            f"classes: {strange!r} is not among the data's own {', '.join(own)}{nearest(strange, own)}, and "
            f"{moved[0]!r} has another place there: name classes of the data, or rename all of them in its order"
        )
    return ()
