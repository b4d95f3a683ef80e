"""Which classes are kept, in which order, and what becomes of the others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from metaloss.data.class_names import FILES_OF_NAMES, class_names
from metaloss.data.convert.names import read_names
from metaloss.data.ignored import IGNORED
from metaloss.errors import ConfigError, nearest

BACKGROUND = "background"
_BACKGROUNDS = {"background", "_background_", "__background__", "bg"}
_IGNORED = {"ignore", "ignored", "_ignore_", "__ignore__"}
_LIMIT = 255  # ids of a mask: 0 to 254
_SHOWN = 5


@dataclass(frozen=True)
class Wanted:
    """One class of the result.

    Attributes:
        name: what it is called.
        of: the classes of the source that become it.
    """

    name: str
    of: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """Where each class of a source goes.

    Attributes:
        classes: the names of the result, in the order of their ids.
        ids: the new id of each class of the source that is kept; 255 for those named as ignored.
        background: the id of pixels that nothing is drawn on; of masks alone.
        others: what pixels of other classes become, or ``None``: they are not drawn; of masks alone.
    """

    classes: tuple[str, ...]
    ids: Mapping[str, int]
    background: int | None = None
    others: int | None = None


def is_background(name: str) -> bool:
    """Whether a class goes by one of the usual names for "nothing of interest"."""
    return name.lower() in _BACKGROUNDS


def is_usual(name: str) -> bool:
    """Whether a class goes by one of the usual names for "nothing of interest" or for "of no class"."""
    return is_background(name) or _is_ignored(name)


def wanted_classes(text: str, known: Sequence[str]) -> list[Wanted]:
    """Reads which classes are kept.

    Args:
        text: entries with commas between them, or a file with one per line (or a ``data.yaml``); an entry is ``NAME``,
            ``NEW=OLD``, or ``NEW=OLD+OLD`` for several that become one.
        known: the names in the source, which may themselves have ``=`` or ``+`` in them.

    Returns:
        At least one.

    Raises:
        DataError: there is no such file.
        ConfigError: no entry, an entry without a name, or a name twice.
    """
    file = Path(text)
    if file.is_file() or file.suffix.lower() in FILES_OF_NAMES:
        entries: Sequence[str] = read_names(file)
    else:
        entries = [entry.strip() for entry in text.split(",")]
    wanted = [_entry(entry, known) for entry in entries]
    class_names(Path(), [one.name for one in wanted])
    taken: set[str] = set()
    for one in wanted:
        for name in one.of:
            if name in taken:
                raise ConfigError(f"--classes: {name!r} of the labels is given twice; it can become one class alone")
            taken.add(name)
    return wanted


def _entry(entry: str, known: Sequence[str]) -> Wanted:
    if entry in known or "=" not in entry:
        name, olds = entry, [entry]
    else:
        name, _, rest = (part.strip() for part in entry.partition("="))
        olds = [rest] if rest in known else [old.strip() for old in rest.split("+")]
    if not name or not all(olds):
        raise ConfigError(f"--classes: {entry!r} is no class; expected NAME, NEW=OLD or NEW=OLD+OLD")
    return Wanted(name, tuple(olds))


def check_known(wanted: Iterable[Wanted], known: Sequence[str], where: str) -> None:
    """Refuses classes that a source, which lists all of its own, has not.

    Args:
        wanted: the classes of the result; a background may be new.
        known: the names in the source.
        where: what lists them.

    Raises:
        ConfigError: one is not among them.
    """
    numbered = all(name.isdigit() for name in known)  # without names, a class that does not occur is one as well
    for one in wanted:
        for old in one.of:
            if numbered and old.isdigit():
                continue
            if old not in known and not is_usual(one.name):
                names = ", ".join(known[:_SHOWN]) + (" ..." if len(known) > _SHOWN else "")
                raise ConfigError(f"--classes: {old!r} is none of {where}: {names}{nearest(old, known)}")


def plan_boxes(known: Sequence[str], wanted: Sequence[Wanted] | None) -> Plan:
    """Numbers the classes of boxes.

    Args:
        known: the names in the source, in the order of their ids.
        wanted: the classes of the result; ``None`` for all.
    """
    kept = [Wanted(name, (name,)) for name in known] if wanted is None else list(wanted)
    kept = [one for one in kept if not _is_ignored(one.name)]
    return Plan(tuple(one.name for one in kept), {old: number for number, one in enumerate(kept) for old in one.of})


def plan_masks(
    known: Sequence[str], wanted: Sequence[Wanted] | None, others: str | None, *, drawn: bool, strange: bool = False
) -> Plan:
    """Numbers the classes of masks.

    Args:
        known: the names in the source, in the order of their ids.
        wanted: the classes of the result; ``None`` for all.
        others: ``"background"`` or ``"ignore"``, of what is left out; ``None`` where nothing is said.
        drawn: whether shapes are drawn, on a background; else every pixel has a class already.
        strange: whether the source has pixels that are none of ``known``.

    Returns:
        The plan. Where there is to be a background and none is named, it becomes the first class.

    Raises:
        ConfigError: classes are left out of a mask and nothing is said of them, or there are more than 255.
    """
    kept = [Wanted(name, (name,)) for name in known] if wanted is None else list(wanted)
    ignored = [old for one in kept if _is_ignored(one.name) for old in one.of]
    ignored += [name for name in known if _is_ignored(name) and not any(name in one.of for one in kept)]
    kept = [one for one in kept if not _is_ignored(one.name)]
    if wanted is None and drawn:
        kept.sort(key=lambda one: not is_background(one.name))
    named = {old for one in kept for old in one.of} | set(ignored)
    left_out = [name for name in known if name not in named]
    if left_out and others is None and not drawn:
        names = ", ".join(left_out[:_SHOWN]) + (" ..." if len(left_out) > _SHOWN else "")
        raise ConfigError(
            f"--classes leaves out {names}, and every pixel of a mask is of a class: say what theirs become with "
            "--others background or --others ignore"
        )
    needed = drawn or (others == "background" and bool(left_out or strange))
    if needed and not any(is_background(one.name) for one in kept):
        kept.insert(0, Wanted(BACKGROUND, ()))
    if len(kept) > _LIMIT:
        raise ConfigError(f"{len(kept)} classes: a mask holds at most {_LIMIT} beside the ignored id {IGNORED}")
    ids = {old: number for number, one in enumerate(kept) for old in one.of}
    background = next((number for number, one in enumerate(kept) if is_background(one.name)), None)
    return Plan(
        tuple(one.name for one in kept),
        {**ids, **dict.fromkeys(ignored, IGNORED)},
        background,
        {"ignore": IGNORED, "background": background}.get(others or "") if not drawn or others == "ignore" else None,
    )


def _is_ignored(name: str) -> bool:
    return name.lower() in _IGNORED
