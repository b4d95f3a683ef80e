"""Colour-coded masks, and masks of ids with other classes, to masks of class ids."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from metaloss.data.convert.classes import BACKGROUND, Plan, check_known, plan_masks, wanted_classes
from metaloss.data.convert.colours import channels, nearest_colour
from metaloss.data.convert.meaning import (
    AUTO,
    Meaning,
    are_coloured,
    found_colours,
    listed_colours,
    named_ids,
    needless,
    refusal,
    unknown_numbers,
)
from metaloss.data.convert.outcome import Outcome
from metaloss.data.convert.pixels import colour_numbers, counts, id_numbers, replaced
from metaloss.data.convert.reading import read_all
from metaloss.data.convert.sources import SPOKEN, Source
from metaloss.data.convert.writing import write_lines, write_mask
from metaloss.data.ignored import IGNORED
from metaloss.errors import ConfigError, DataError
from metaloss.runtime.progress_bar import progress_bar

_FEW = 1e-4  # of all pixels; a colour of fewer may come from smoothed edges


def convert_masks(
    source: Source, out: Path, *, colours: str | None, classes: str | None, others: str | None, sure: bool
) -> Outcome:
    """Writes a mask of class ids for each mask.

    Args:
        source: the masks.
        out: the folder.
        colours: a list of colours, ``"auto"`` for those that are found, or ``None``.
        classes: which classes are kept; ``None`` for all.
        others: what pixels become that are of none of them: ``"ignore"``, ``"background"``, or of unknown colours
            ``"nearest"``; ``None`` where nothing is said.
        sure: whether the source's kind was said; else colours and ids are told apart here.

    Raises:
        ConfigError: the options do not fit the masks.
        DataError: a mask cannot be read, or holds a colour or an id that is unknown.
    """
    coloured = source.kind == "colours" if sure else are_coloured(source.path, source.files, colours)
    _check_options(source, coloured=coloured, colours=colours, classes=classes, others=others)
    listed = listed_colours(colours) if coloured and colours is not None and colours != AUTO else None
    reader = colour_numbers if coloured else id_numbers
    found = read_all(source.files, lambda path: counts(reader(path)))
    total: Counter[int] = Counter()
    for one in found:
        total.update(one)
    meaning = listed or (
        found_colours(source.path, total) if coloured else named_ids(source.path, total, classes or "")
    )
    known = list(dict.fromkeys(meaning.names.values()))
    wanted = None if classes is None else wanted_classes(classes, known)
    if wanted is not None:
        check_known(wanted, known, meaning.where)
    unknown = unknown_numbers(meaning, total)
    if unknown and others is None:
        raise refusal(source.files, found, unknown, meaning)
    if not coloured and classes is None and not unknown:
        raise needless(source.path, source.files, total)
    plan = plan_masks(known, wanted, others, drawn=False, strange=bool(unknown))
    table = {IGNORED: IGNORED, **_table(plan, meaning, unknown)}
    outcome = Outcome(source.path, SPOKEN["colours" if coloured else "ids"], out, True, plan.classes)
    outcome.left_out = _left_out(plan, meaning, total, unknown)
    with progress_bar("writing", len(source.files)) as advance:
        for file in source.files:
            mask = replaced(reader(file), table)
            write_mask(out / f"{file.stem}.png", mask)
            outcome.add_mask(f"{file.stem}.png", mask)
            advance(file.name)
    if colours == AUTO:
        _list_colours(plan, meaning, total, outcome)
    if not coloured and not meaning.listed:
        outcome.notes.append("no file names the classes (classes.txt), so their ids were taken for their names")
    return outcome


def _check_options(
    source: Source, *, coloured: bool, colours: str | None, classes: str | None, others: str | None
) -> None:
    if not coloured:
        if colours is not None:
            raise ConfigError(f"--colours {colours}: {source.path} has masks of ids: give --from colours")
        if others == "nearest":
            raise ConfigError("--others nearest: no id is nearest to another: give ignore or background")
        return
    if colours is None:
        raise ConfigError(
            f"{source.path}: colour-coded masks, and --colours is missing: give a list of lines `R G B name`, or "
            "--colours auto, which lists the colours that are there"
        )
    if classes is not None and others == "nearest":
        raise ConfigError(
            "--others nearest with --classes: the one is about unknown colours, the other leaves classes out: convert "
            "the colours first, and then the masks of ids with --classes"
        )
    jpeg = next((file for file in source.files if file.suffix.lower() in (".jpg", ".jpeg")), None)
    if jpeg is not None and (colours == AUTO or others != "nearest"):
        raise DataError(f"{jpeg}: JPEG compression changes colours: give --colours FILE with --others nearest")


def _table(plan: Plan, meaning: Meaning, unknown: Sequence[int]) -> dict[int, int]:
    """What each number becomes; what nothing was said of is nowhere in the masks, or goes to the nearest colour."""
    rest = IGNORED if plan.others is None else plan.others
    table = {number: plan.ids.get(name, rest) for number, name in meaning.names.items()}
    if plan.others is not None:
        return {**table, **dict.fromkeys(unknown, rest)}
    return {**table, **{number: table[nearest_colour(number, list(meaning.names))] for number in unknown}}


def _left_out(plan: Plan, meaning: Meaning, total: Mapping[int, int], unknown: Sequence[int]) -> Counter[str]:
    """How many pixels are of no class of the result, by the reason."""
    becomes = "ignored" if plan.others == IGNORED else BACKGROUND if plan.others is not None else "the nearest colour's"
    found: Counter[str] = Counter()
    for number, name in meaning.names.items():
        if name not in plan.ids:
            found[f"class {name}, now {becomes}: pixels"] += total.get(number, 0)
    what = "unknown colours" if meaning.coloured else "unknown ids"
    found[f"{what}, now {becomes}: pixels"] += sum(total[number] for number in unknown)
    return +found


def _list_colours(plan: Plan, meaning: Meaning, total: Mapping[int, int], outcome: Outcome) -> None:
    """Writes the colours that were found, as ``--colours`` takes them, and doubts those of a few pixels."""
    rows = sorted((plan.ids[name], number) for number, name in meaning.names.items() if name in plan.ids)
    lines = [f"{' '.join(map(str, channels(number)))} {plan.classes[new]}" for new, number in rows if new != IGNORED]
    write_lines(outcome.out / "colours.txt", lines)
    outcome.written.add("colours.txt")
    outcome.most_frequent_first = True
    outcome.notes.append(
        f"classes are called by their colours: name them in {outcome.out / 'colours.txt'}, and give that as --colours"
    )
    few = [number for number in total if total[number] < _FEW * sum(total.values())]
    if few:
        outcome.warnings.append(
            f"{len(few)} of {len(total)} colours have less than {_FEW:.2%} of all pixels each: where they are smoothed "
            "edges, list the colours of the classes in a file for --colours, and give --others nearest"
        )
