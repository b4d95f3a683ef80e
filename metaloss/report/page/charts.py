"""Line charts as Plotly takes them: one look for all, one colour for each source, one dash for each run."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

SOURCE_COLOURS = ("#c62828", "#1565c0", "#2e7d32", "#8e24aa", "#00838f", "#6d4c41")
RUN_COLOURS = ("#37474f", "#ef6c00", "#00897b", "#ad1457", "#5e35b1", "#9e9d24")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
_INK, _GRID = "#1b1b1b", "#e2e2e2"
_DIGITS = 6


@dataclass(frozen=True)
class Line:
    """A curve.

    Attributes:
        name: for the box under the pointer.
        points: value by epoch, or by step.
        colour: of the line and of its band.
        dash: one of :data:`DASHES`.
        thin: half as wide, and paler.
        spread: by epoch how far the band reaches to both sides.
    """

    name: str
    points: Mapping[int, float]
    colour: str
    dash: str = "solid"
    thin: bool = False
    spread: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Chart:
    """A figure of a page.

    Attributes:
        title: in words.
        about: what it is and which way is good, in a sentence.
        figure: Plotly's ``data`` and ``layout``.
        alt: what a reader who cannot see it is told.
    """

    title: str
    about: str
    figure: dict[str, Any]
    alt: str


def line_chart(
    title: str,
    about: str,
    lines: Sequence[Line],
    *,
    axis: str,
    across: str = "epoch",
    limits: tuple[float, float] | None = None,
    level: float | None = None,
) -> Chart:
    """Draws curves over epochs or steps.

    Args:
        title: in words.
        about: one sentence.
        lines: at least one.
        axis: what goes upwards, with its unit.
        across: what goes to the right.
        limits: of the values, where they have any; bands end there.
        level: a value that is marked by a line of dots.
    """
    low, high = limits or (-math.inf, math.inf)
    data: list[dict[str, Any]] = []
    for line in lines:
        if band := _band(line, low, high):
            data.append(band)
    for line in lines:
        steps = sorted(line.points)
        data.append(
            {
                "type": "scatter",
                "mode": "lines+markers" if len(steps) <= 60 else "lines",
                "name": html.escape(line.name),
                "x": steps,
                "y": [_number(line.points[step]) for step in steps],
                "line": {"color": line.colour, "dash": line.dash, "width": 1.2 if line.thin else 2.4},
                "marker": {"size": 3 if line.thin else 5, "color": line.colour},
                "opacity": 0.65 if line.thin else 1,
                "hovertemplate": "%{y:.4g}",
            }
        )
    layout = _layout(axis, across)
    steps = [step for line in lines for step in line.points]
    first, last = min(steps, default=0), max(steps, default=1)
    margin = 0.03 * max(last - first, 1)
    layout["xaxis"]["range"] = [first - margin, last + margin]
    if across == "epoch":
        layout["xaxis"] |= {"tickformat": "d", **({"dtick": 1} if last - first <= 12 else {})}
    if limits is not None:
        room = 0.03 * (high - low)
        layout["yaxis"]["range"] = [low - room, high + room]
    if level is not None:
        dots = {"color": "#757575", "width": 1, "dash": "dot"}
        layout["shapes"] = [{"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": level, "y1": level, "line": dots}]
    return Chart(title, about, {"data": data, "layout": layout}, _alt(title, lines, across))


def _band(line: Line, low: float, high: float) -> dict[str, Any] | None:
    steps = [step for step in sorted(line.points) if step in line.spread and math.isfinite(line.points[step])]
    if not steps:
        return None
    upper = [min(line.points[step] + line.spread[step], high) for step in steps]
    lower = [max(line.points[step] - line.spread[step], low) for step in steps]
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [*steps, *reversed(steps)],
        "y": [_number(value) for value in [*upper, *reversed(lower)]],
        "fill": "toself",
        "fillcolor": line.colour + "24",  # alpha
        "line": {"width": 0},
        "hoverinfo": "skip",
    }


def bar_chart(title: str, about: str, bars: Sequence[tuple[str, float, float | None, str]], *, axis: str) -> Chart:
    """Draws lying bars, from the top in their order.

    Args:
        title: in words.
        about: one sentence.
        bars: of each a name, a value, its standard error and a colour.
        axis: what goes to the right, with its unit.
    """
    errors = [_number(error) for _, _, error, _ in bars]
    data = [
        {
            "type": "bar",
            "orientation": "h",
            "y": [html.escape(name) for name, _, _, _ in bars],
            "x": [_number(value) for _, value, _, _ in bars],
            "marker": {"color": [colour for _, _, _, colour in bars]},
            "error_x": {"type": "data", "array": errors, "color": _INK, "thickness": 1.2, "width": 4},
            "hovertemplate": "%{y}: %{x:.3g}<extra></extra>",
        }
    ]
    layout = _layout("", axis)
    layout["yaxis"] |= {"autorange": "reversed", "type": "category", "automargin": True}
    layout |= {"hovermode": "closest", "height": 90 + 30 * max(len(bars), 2)}
    layout["xaxis"] |= {"zeroline": True, "zerolinecolor": _INK}
    told = ", ".join(f"{name} {value:+.2f}" for name, value, _, _ in bars)
    return Chart(title, about, {"data": data, "layout": layout}, f"Bar chart of {title}: {told}")


def _layout(upwards: str, across: str) -> dict[str, Any]:
    axis = {"gridcolor": _GRID, "linecolor": "#9e9e9e", "showline": True, "zeroline": False, "fixedrange": False}
    return {
        "height": 250,
        "margin": {"l": 58, "r": 14, "t": 10, "b": 44},
        "font": {"family": "system-ui, sans-serif", "size": 12, "color": _INK},
        "paper_bgcolor": "#ffffff",
        "plot_bgcolor": "#ffffff",
        "hovermode": "x unified",
        "showlegend": False,
        "xaxis": {**axis, "title": {"text": html.escape(across), "standoff": 6}},
        "yaxis": {**axis, "title": {"text": html.escape(upwards), "standoff": 6}},
    }


def _alt(title: str, lines: Sequence[Line], across: str) -> str:
    told = []
    for line in lines:
        steps = [step for step in sorted(line.points) if math.isfinite(line.points[step])]
        if steps:
            first, last = steps[0], steps[-1]
            ends = f"{line.points[first]:.3g} at {across} {first}, {line.points[last]:.3g} at {across} {last}"
            told.append(f"{line.name}: {ends}")
    return f"Line chart of {title} by {across}. {'; '.join(told)}"


def _number(value: float | None) -> float | None:
    """A number as JSON has it, short."""
    return None if value is None or not math.isfinite(value) else float(f"{value:.{_DIGITS}g}")
