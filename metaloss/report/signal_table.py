"""What the task asks of the fusion loss, as tables, and how to read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.markup import escape
from rich.table import Table

from metaloss.training.signal import Asked, Signal

Found = Mapping[str, Signal]
"""By inner update."""
TRUSTED, FEW = 2.0, 6  # standard errors, and pairs that are too few for them


def heading(inner_update: str, own: str) -> str:
    """Names an inner update, and marks the one that the config trains with."""
    return f"{inner_update} (this config)" if inner_update == own else inner_update


def side_table(found: Found, own: str) -> Table:
    """A row per inner update: how one-sided its wishes are, and how far they agree."""
    shown = Table(title="what reaches the fusion loss", title_justify="left")
    shown.add_column("inner update")
    for name in ("one-sided", "agreement"):
        shown.add_column(name, justify="right")
    for name, signal in found.items():
        agreement = round(signal.agreement, 2) + 0.0  # no negative zero
        shown.add_row(heading(name, own), f"{signal.one_sided:.2f}", f"{agreement:.2f}")
    return shown


def region_tables(found: Found, own: str) -> list[Table]:
    """A row per class: of two sources one table for all inner updates, of more one for each; none without regions."""
    with_regions = {name: signal for name, signal in found.items() if signal.regions}
    sources = sources_of(with_regions)
    if len(sources) == 2:
        of_first = {heading(name, own): (signal, sources[0]) for name, signal in with_regions.items()}
        return [_region_table(f"asked of {sources[0]}: mean (t)", of_first)]
    return [
        _region_table(f"asked by {heading(name, own)}: mean (t)", {source: (signal, source) for source in sources})
        for name, signal in with_regions.items()
    ]


def _region_table(title: str, columns: Mapping[str, tuple[Signal, str]]) -> Table:
    """A row per class, and a column each of a signal and a source."""
    shown = Table(title=escape(title), title_justify="left")
    shown.add_column("class")
    for name in (*columns, "pairs"):
        shown.add_column(escape(name), justify="right")
    for region in dict.fromkeys(region for signal, _ in columns.values() for region in signal.regions):
        cells = [signal.regions.get(region, {}).get(source) for signal, source in columns.values()]
        pairs = dict.fromkeys(str(asked.pairs) for asked in cells if asked is not None)
        shown.add_row(escape(region), *map(_cell, cells), " / ".join(pairs))
    return shown


def _cell(asked: Asked | None) -> str:
    if asked is None:
        return "-"
    text = f"{asked.mean:+.2f} ({asked.t:.1f})"
    return f"[bold]{text}[/bold]" if abs(asked.t) >= TRUSTED and asked.pairs >= FEW else text


def reading(found: Found) -> list[str]:
    """How to read the tables, in plain lines."""
    lines = [
        'one-sided: near 1 the loss hears of a whole image only "brighter" or "darker"; near 0 it hears where.',
        "agreement: the mean cosine between two pairs' meta-gradients: 1 where all ask the same, 0 where each asks "
        "for something else.",
    ]
    sources = sources_of(found)
    if not sources:
        return lines
    unit = "in units of the map's mean size; over a dozen pairs a |t| above 2 can be trusted, less may be chance."
    if len(sources) == 2:
        more = f"+ where a class asks for more of {sources[0]}, - for more of {sources[1]} (the same number, negated), "
    else:
        more = "+ where a class asks for more of a source than of the others, - for less, "
    return [*lines, f"mean (t): {more}{unit}"]


def sources_of(found: Found) -> Sequence[str]:
    """The names of the sources, where there are regions."""
    return next((list(asked) for signal in found.values() for asked in signal.regions.values()), [])
