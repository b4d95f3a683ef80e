"""The page itself: sections, tables and figures as one HTML text that needs nothing else."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from typing import Any

from metaloss.report.page.charts import Chart

_POLICY = "default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; script-src {scripts}"


def text(value: Any) -> str:
    """Anything as text in which nothing is markup."""
    return html.escape(str(value))


class Document:
    """A page that grows section by section.

    Attributes:
        parts: of its body, as HTML.
        charts: Plotly's figures by the id of their place.
        frames: data URIs by epoch, by the name that a picture gives.
        epochs: the places of the slider.
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self.parts: list[str] = []
        self.sections: list[tuple[str, str]] = []
        self.charts: dict[str, dict[str, Any]] = {}
        self.frames: dict[str, dict[int, str]] = {}
        self.epochs: list[int] = []

    def add(self, markup: str) -> None:
        """Adds HTML; what comes from files in it has gone through :func:`text`."""
        self.parts.append(markup)

    def section(self, name: str, title: str, about: str = "") -> None:
        """Begins a section."""
        self.sections.append((name, title))
        self.add(f'<h2 id="{name}">{text(title)}</h2>')
        if about:
            self.add(f'<p class="about">{text(about)}</p>')

    def table(
        self, header: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: bool = False, marked: bool = False
    ) -> None:
        """Adds a table.

        Args:
            header: of each column.
            rows: the first cell of each is its heading.
            numbers: all but the first column are numbers.
            marked: the rows are to be seen at once.
        """
        kind = ' class="number"' if numbers else ""
        head = "".join(f'<th scope="col"{kind if place else ""}>{text(cell)}</th>' for place, cell in enumerate(header))
        body = "".join(
            f'<tr{" class=differs" if marked else ""}><th scope="row">{text(first)}</th>'
            + "".join(f"<td{kind}>{text(cell)}</td>" for cell in cells)
            + "</tr>"
            for first, *cells in rows
        )
        self.add(f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>')

    def pairs(self, values: Mapping[str, str]) -> None:
        """Adds names and values, in as many columns as there is room for."""
        listed = "".join(f"<div><dt>{text(name)}</dt><dd>{text(value)}</dd></div>" for name, value in values.items())
        self.add(f'<dl class="pairs">{listed}</dl>')

    def figures(self, charts: Sequence[Chart]) -> None:
        """Adds charts beside each other."""
        self.add('<div class="charts">')
        for chart in charts:
            place = f"chart-{len(self.charts)}"
            self.charts[place] = chart.figure
            height = chart.figure["layout"]["height"]
            self.add(
                f"<figure><figcaption><b>{text(chart.title)}</b><span>{text(chart.about)}</span></figcaption>"
                f'<div class="plot" id="{place}" style="height:{height}px" role="img" aria-label="{text(chart.alt)}">'
                "</div></figure>"
            )
        self.add("</div>")

    def html(self, plotly: str) -> str:
        """The whole page.

        Args:
            plotly: plotly.js, which is taken in once.
        """
        style, script = (
            files("metaloss.report.page").joinpath(name).read_text("utf-8") for name in ("page.css", "page.js")
        )
        content = {"charts": self.charts, "frames": self.frames, "epochs": self.epochs}
        data = json.dumps(content, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
        links = "".join(f'<a href="#{name}">{text(title)}</a>' for name, title in self.sections)
        scripts = [f"\n{part}\n" for part in (plotly, script)]
        policy = _POLICY.format(scripts=" ".join(map(_digest, scripts)))
        first, *rest = self.parts
        return "\n".join(
            [
                "<!doctype html>",
                '<html lang="en"><head><meta charset="utf-8">',
                f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
                '<meta name="viewport" content="width=device-width, initial-scale=1">',
                '<link rel="icon" href="data:,">',
                f"<title>{text(self.title)}</title>",
                f"<style>\n{style}</style></head><body>",
                first,
                f'<nav aria-label="Sections">{links}</nav>',
                "<noscript><p>Charts and the slider need JavaScript; tables and last pictures do not.</p></noscript>",
                "<main>",
                *rest,
                "</main>",
                f'<script type="application/json" id="page-data">{data}</script>',
                *(f"<script>{part}</script>" for part in scripts),
                "</body></html>\n",
            ]
        )


def _digest(script: str) -> str:
    """How a page says that this script, and no other, may run."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
