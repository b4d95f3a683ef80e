"""Tables as text, Markdown and LaTeX, with the best and the second best marked as in the papers."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

Rows = Sequence[Sequence[str]]

MARKS: dict[str, tuple[str, str]] = {
    "table": ("{}*", "{}'"),
    "md": ("**{}**", "<u>{}</u>"),
    "latex": (r"\textbf{{{}}}", r"\underline{{{}}}"),
}
"""By format: how the best value and the second best are written."""
LEGEND = "* best, ' second best"
_ESCAPED = {
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}
_MATHEMATICAL = {"↑": r"$\uparrow$", "↓": r"$\downarrow$", "±": r"$\pm$"}


def aligned(rows: Rows, *, named: int = 1) -> str:
    """Plain text in columns, the first ``named`` to the left; the first row is the header."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [cell.rjust(width) for cell, width in zip(row[named:], widths[named:], strict=True)]
        names = [cell.ljust(width) for cell, width in zip(row[:named], widths, strict=False)]
        lines.append("  ".join([*names, *cells]).rstrip())
    return "\n".join(lines) + "\n"


def markdown(rows: Rows) -> str:
    """A Markdown table; the first row is the header, and names are given through :func:`unmarked`."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "|---" * len(rows[0]) + "|")
    return "\n".join(lines) + "\n"


def unmarked(text: str) -> str:
    """Text in which what Markdown would take for the end of a cell, or for a mark, is plain."""
    return re.sub(r"[\\|*<`]", r"\\\g<0>", text)


def latex(rows: Rows, *, named: int = 1) -> str:
    r"""A LaTeX table with booktabs' rules, the first ``named`` columns to the left; the first row is the header.

    Arrows and ± become commands, names are given escaped. The document needs ``\usepackage{booktabs}``.
    """
    lines = [" & ".join(row) + r" \\" for row in rows]
    text = "\n".join(
        [
            r"% needs \usepackage{booktabs}",
            rf"\begin{{tabular}}{{{'l' * named}{'r' * (len(rows[0]) - named)}}}",
            r"\toprule",
            lines[0],
            r"\midrule",
            *lines[1:],
            r"\bottomrule",
        ]
    )
    for symbol, command in _MATHEMATICAL.items():
        text = text.replace(symbol, command)
    return text + "\n\\end{tabular}\n"


def escaped(text: str) -> str:
    """Text in which what LaTeX would take for a command is plain."""
    return "".join(_ESCAPED.get(letter, letter) for letter in text)


def ranks(values: Mapping[str, float], *, higher_is_better: bool) -> dict[str, int]:
    """Ranks methods by a value, 1 for the best; undefined values have no rank, equal ones share it."""
    sign = -1 if higher_is_better else 1
    signed = {method: sign * value for method, value in values.items() if not math.isnan(value)}
    ordered = sorted(set(signed.values()))
    return {method: ordered.index(value) + 1 for method, value in signed.items()}


def mean_ranks(columns: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean of each method's ranks over several columns; equal values share the mean of their places.

    Args:
        columns: by method a value of which less is better; a column with undefined values does not count.

    Returns:
        By method, from 1 for the best everywhere; not a number where no column counts.
    """
    counted = [column for column in columns if not any(math.isnan(value) for value in column.values())]
    methods = list(columns[0]) if columns else []

    def place(column: Mapping[str, float], method: str) -> float:
        less = sum(value < column[method] for value in column.values())
        equal = sum(value == column[method] for value in column.values())
        return less + (1 + equal) / 2

    return {
        method: sum(place(column, method) for column in counted) / len(counted) if counted else math.nan
        for method in methods
    }


def marked(text: str, rank: int | None, style: str, *, methods: int) -> str:
    """A cell, marked when it is the best or the second best; of two methods the worse is no second best.

    Args:
        text: of the cell.
        rank: 1 for the best, as :func:`ranks` gives it; ``None`` without one.
        style: one of :data:`MARKS`.
        methods: how many have a rank.
    """
    if rank is None or rank > 2 or methods < 2 or (rank == 2 and methods == 2):
        return text
    return MARKS[style][rank - 1].format(text)


def legend(methods: int) -> str:
    """What the marks of a plain table mean."""
    return LEGEND if methods > 2 else LEGEND.partition(",")[0]
