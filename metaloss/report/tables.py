"""Tables as text, Markdown and LaTeX, with the best and the second best marked as in the papers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

Rows = Sequence[Sequence[str]]

MARKS: dict[str, tuple[str, str]] = {
    "table": ("{}*", "{}'"),
    "md": ("**{}**", "<u>{}</u>"),
    "latex": (r"\textbf{{{}}}", r"\underline{{{}}}"),
}
"""By format: how the best value and the second best are written."""
LEGEND = "* best, ' second best"
_MATHEMATICAL = {"↑": r"$\uparrow$", "↓": r"$\downarrow$", "±": r"$\pm$"}


def aligned(rows: Rows) -> str:
    """Plain text in columns, the first to the left; the first row is the header."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join([row[0].ljust(widths[0]), *cells]))
    return "\n".join(lines) + "\n"


def markdown(rows: Rows) -> str:
    """A Markdown table; the first row is the header."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "|---" * len(rows[0]) + "|")
    return "\n".join(lines) + "\n"


def latex(rows: Rows) -> str:
    """A LaTeX table; the first row is the header. Arrows and ± become commands, names are given escaped."""
    lines = [" & ".join(row) + r" \\" for row in rows]
    text = "\n".join(
        [rf"\begin{{tabular}}{{l{'r' * (len(rows[0]) - 1)}}}", r"\hline", lines[0], r"\hline", *lines[1:], r"\hline"]
    )
    for symbol, command in _MATHEMATICAL.items():
        text = text.replace(symbol, command)
    return text + "\n\\end{tabular}\n"


def escaped(text: str) -> str:
    """Text in which what LaTeX would take for a command is plain."""
    return "".join(f"\\{letter}" if letter in "&%$#_{}" else letter for letter in text)


def ranks(values: Mapping[str, float], *, higher_is_better: bool) -> dict[str, int]:
    """Ranks methods by a value, 1 for the best; undefined values have no rank, equal ones share it."""
    sign = -1 if higher_is_better else 1
    signed = {method: sign * value for method, value in values.items() if not math.isnan(value)}
    ordered = sorted(set(signed.values()))
    return {method: ordered.index(value) + 1 for method, value in signed.items()}


def marked(text: str, rank: int | None, style: str) -> str:
    """A cell, marked when it is the best or the second best."""
    return MARKS[style][rank - 1].format(text) if rank in (1, 2) else text
