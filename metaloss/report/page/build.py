"""A page of one run, or of several side by side."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence

import metaloss
from metaloss.report.page.charts import Chart
from metaloss.report.page.curves import Curves, run_colour, run_dash
from metaloss.report.page.document import Document, text
from metaloss.report.page.picture_section import add_pictures
from metaloss.report.page.run import Run
from metaloss.report.page.scalars import META, VALIDATION, Points
from metaloss.report.page.settings import differing
from metaloss.report.page.signal_section import add_signals

_STROKES = {
    "solid": "none",
    "dash": "9 6",
    "dot": "2 4",
    "dashdot": "9 4 2 4",
    "longdash": "14 6",
    "longdashdot": "14 4 2 4",
}


def build(runs: Sequence[Run]) -> Document:
    """Makes the page.

    Args:
        runs: at least one, with names that differ.
    """
    curves = Curves(runs)
    page = Document("Training report: " + ", ".join(run.name for run in runs))
    _head(page, curves)
    _summary(page, curves)
    _settings(page, runs)
    page.section("aim", "Outer loss and task", "What the learned loss is for. All by epoch; 0 is before the training.")
    _figures_or(page, curves.aim(), "No outer loss and no score of the task was logged.")
    _weights(page, curves)
    add_pictures(page, curves)
    page.section("losses", "Losses", "Means of the steps of each epoch.")
    _figures_or(page, curves.losses(), "None was logged.")
    if within := curves.within():
        page.add("<details><summary>Step by step</summary>")
        page.figures(within)
        page.add("</details>")
    page.section("metrics", "Fusion metrics", "Of the fused validation images, against their sources.")
    _figures_or(page, curves.fusion_metrics(), "None was measured.")
    add_signals(page, curves)
    return page


def _head(page: Document, curves: Curves) -> None:
    runs = curves.runs
    today = datetime.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M")
    title = runs[0].name if len(runs) == 1 else f"{len(runs)} runs side by side"
    marks = [_mark(curves.source_colour(name), "solid", f"source: {name}") for name in curves.sources]
    if len(runs) > 1:
        marks += [_mark(run_colour(number), run_dash(number), f"run: {run.name}") for number, run in enumerate(runs)]
    page.add(
        f'<header><h1>{text(title)}</h1><p class="soft">Training report by metaloss {text(metaloss.__version__)}, '
        f'{today}</p><ul class="legend">{"".join(marks)}</ul></header>'
    )


def _mark(colour: str, dash: str, words: str) -> str:
    line = (
        f'<line x1="0" y1="6" x2="42" y2="6" stroke="{colour}" stroke-width="4" stroke-dasharray="{_STROKES[dash]}"/>'
    )
    return f'<li><svg width="42" height="12" aria-hidden="true">{line}</svg>{text(words)}</li>'


def _summary(page: Document, curves: Curves) -> None:
    runs = curves.runs
    page.section("runs", "Results")
    page.table(
        ["run", "folder", "epochs done"],
        [
            [run.name, str(run.folder), f"{run.scalars.last}" + (f" of {run.epochs}" if run.epochs else "")]
            for run in runs
        ],
    )
    notes = [f"{run.name}: {note}" if len(runs) > 1 else note for run in runs for note in run.notes]
    if notes:
        page.add(f'<ul class="notes" role="note">{"".join(f"<li>{text(note)}</li>" for note in notes)}</ul>')
    if rows := [[label, *map(_from_to, points)] for label, points in _results(curves) if any(points)]:
        page.add('<p class="about">First and last value; a validation\'s first is before the training.</p>')
        page.table(["", *(run.name for run in runs)], rows, numbers=True)


def _results(curves: Curves) -> Iterator[tuple[str, list[Points]]]:
    """What the first table tells: names, and of each run the values by epoch."""
    epochs = [run.scalars.epochs for run in curves.runs]
    known = list(dict.fromkeys(name for each in epochs for name in each))
    names = {f"{META}outer_loss": "outer loss", "task_loss": "task loss, validation"}
    for name, label in (names | {name: name for name in known if curves.is_of_task(name)}).items():
        yield label, [each.get(name, {}) for each in epochs]
    weights = [curves.mean_weights(run) for run in curves.runs]
    for source in curves.sources:
        yield f"mean weight of {source}", [each.get(source, {}) for each in weights]
    for name in known:
        if name.startswith("fusion/"):
            yield name.partition("/")[2], [each.get(name, {}) for each in epochs]


def _from_to(points: Points) -> str:
    if not points:
        return "-"
    first, last = points[min(points)], points[max(points)]
    return f"{first:.4g}" if len(points) == 1 else f"{first:.4g} → {last:.4g}"


def _settings(page: Document, runs: Sequence[Run]) -> None:
    page.section("settings", "Settings")
    parts = {"At the top, of the model and of the training loop": [run.first for run in runs]}
    parts["Everything else"] = [run.others for run in runs]
    every = [{**run.first, **run.others} for run in runs]
    if not any(every):
        page.add("<p>None were kept.</p>")
        return
    header, names = ["setting", *(run.name for run in runs)], differing(every)
    if len(runs) > 1:
        page.add(f"<h3>{'Where the runs differ' if names else 'All runs have the same settings'}</h3>")
    if names:
        page.table(header, [[name, *(each.get(name, "not set") for each in every)] for name in names], marked=True)
    for title, part in parts.items():
        alike = {name: value for settings in part for name, value in settings.items() if name not in names}
        if alike:
            first = len(runs) == 1 and part[0] is runs[0].first
            words = title if len(runs) == 1 else f"{title}, the same in all"
            page.add(f"<details{' open' if first else ''}><summary>{words}</summary>")
            page.pairs(alike)
            page.add("</details>")


def _weights(page: Document, curves: Curves) -> None:
    page.section(
        "weights",
        "Weights of the learned loss",
        "How much of each source the intensity term asks for: 1 is this source alone. Weights of a pixel sum to 1.",
    )
    _figures_or(page, curves.weights(), "None were logged.")
    classes = curves.classes()
    if not classes:
        page.add("<p>By class: nothing, as no validation had labels with regions (class ids or boxes).</p>")
        return
    page.add("<h3>By class of the validation's labels</h3>")
    page.figures(curves.weights_by_class())
    page.add('<h3>At the last validation</h3><p class="about">Mean ± one standard deviation over pixels.</p>')
    columns = [(source, where) for source in curves.sources for where in ("on", "off")]
    header = [f"{source} {'on' if where == 'on' else 'elsewhere'}" for source, where in columns]
    rows = [
        [
            kind if len(curves.runs) == 1 else f"{kind}, {run.name}",
            *(_mean_and_spread(run, f"{source}/{where}/{kind}") for source, where in columns),
        ]
        for kind in classes
        for run in curves.runs
    ]
    page.table(["class" if len(curves.runs) == 1 else "class, run", *header], rows, numbers=True)


def _mean_and_spread(run: Run, name: str) -> str:
    means = run.scalars.epochs.get(f"weight/{name}", {})
    if not means:
        return "-"
    last = max(means)
    spread = run.scalars.epochs.get(f"{VALIDATION}spread/{name}", {}).get(last)
    return f"{means[last]:.3f}" + ("" if spread is None else f" ± {spread:.3f}")


def _figures_or(page: Document, charts: Sequence[Chart], otherwise: str) -> None:
    if charts:
        page.figures(charts)
    else:
        page.add(f"<p>{otherwise}</p>")
