"""The section of a page with what the task asks of the loss."""

from __future__ import annotations

import math

from metaloss.report.page.charts import Chart, bar_chart
from metaloss.report.page.curves import Curves
from metaloss.report.page.document import Document, text
from metaloss.report.page.frames import picture
from metaloss.report.page.run import Run
from metaloss.report.signal_file import SavedSignal

_MAPS = 1100  # pixels in width, of the doctor's maps


def add_signals(page: Document, curves: Curves) -> None:
    """Adds it: of each run whose doctor was asked the tables, bars by class and the maps."""
    page.section(
        "signal",
        "What the task asks of the loss",
        "The signal of `metaloss doctor CONFIG --signal`: which source each class asks for, in units of the map's mean "
        "size, with one standard error; over a dozen pairs, a bar of less than two of them may be chance.",
    )
    asked = [run for run in curves.runs if run.signal is not None]
    if not asked:
        page.add(
            "<p>Nobody has asked. <code>metaloss doctor CONFIG --signal --maps WORK_DIR/signal.png</code> asks before "
            "a training, with <code>--weights WORK_DIR/epoch_N.pth</code> at one of its checkpoints, and the next "
            "report shows the answer.</p>"
        )
    for run in asked:
        if run.signal is not None:
            _signal(page, curves, run, run.signal)


def _signal(page: Document, curves: Curves, run: Run, signal: SavedSignal) -> None:
    if len(curves.runs) > 1:
        page.add(f"<h3>{text(run.name)}</h3>")
    page.add("".join(f"<p>{text(line)}</p>" for line in signal.asked))
    rows = [
        [
            f"{name} (this config)" if name == signal.own else name,
            f"{each.one_sided:.2f}",
            "-" if each.agreement is None else f"{each.agreement:.2f}",
        ]
        for name, each in signal.updates.items()
    ]
    page.table(["inner update", "one-sided", "agreement"], rows, numbers=True)
    page.add(
        '<p class="about">One-sided: near 1 the loss hears of a whole image only "brighter" or "darker"; near 0 it '
        "hears where. Agreement: the mean cosine between two pairs' meta-gradients.</p>"
    )
    charts = [chart for name in signal.updates for chart in _asked(curves, run, signal, name)]
    if charts:
        page.figures(charts)
    if signal.maps.is_file():
        try:
            uri, (width, height) = picture(signal.maps, _MAPS)
        except ValueError as error:
            page.add(f'<p class="notes">{text(error)}</p>')
        else:
            alt = f"scenes of {run.name}: sources, fused image with labels, and what is asked under each inner update"
            page.add(f'<img class="maps" src="{uri}" width="{width}" height="{height}" alt="{text(alt)}">')


def _asked(curves: Curves, run: Run, signal: SavedSignal, update: str) -> list[Chart]:
    """Bars of what each class asks for: with two sources of the first, as the other has the same with another sign."""
    regions = signal.updates[update].regions
    sources = list(next(iter(regions.values()), {}))
    own = f"{update} update" + (" (this config)" if update == signal.own else "")
    found = []
    for source in sources[:1] if len(sources) == 2 else sources:
        other = sources[1] if len(sources) == 2 else None
        bars = []
        for region, by_source in regions.items():
            if source in by_source:
                asked = by_source[source]
                error = abs(asked.mean / asked.t) if asked.t and math.isfinite(asked.t) else None
                wanted = other if other is not None and asked.mean < 0 else source
                bars.append((region, asked.mean, error, _colour(curves, wanted)))
        less = f"more of {other}" if other is not None else f"less of {source}"
        axis = f"{less}  ←  0  →  more of {source}, in mean sizes of the map"
        found.append(bar_chart(f"asked of {source}, {own}", "By class of the labels.", bars, axis=axis))
    return found


def _colour(curves: Curves, source: str) -> str:
    return curves.source_colour(source) if source in curves.sources else "#757575"
