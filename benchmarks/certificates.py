"""Compares every metric with published values, image by image, and writes the tables of docs/metrics.md.

    python -m benchmarks.certificates [--data FOLDER] [--page docs/metrics.md]

``FOLDER`` (default: ``$METALOSS_DATA``) holds ``vifb`` and ``metric_reference_tno``. The page's lines between the marks
``<!-- certificate -->`` and ``<!-- end -->`` are written anew, and so are those of the table of metrics, for which no
data is needed: ``--table`` writes that one alone. It takes one and a half minutes of one core.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch

from benchmarks.deviations import DEVIATIONS
from benchmarks.published import TABLES, Published, Value, files_of, order, rows_of, values_of
from metaloss.data.reading import Reading
from metaloss.errors import DataError
from metaloss.metrics import METRICS, get_convention
from metaloss.metrics.files import all_paired
from metaloss.report.tables import markdown
from metaloss.runtime.progress_bar import progress_bar

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "metrics.md"
AGREES = 1e-4
"""A metric agrees where no value differs by more, relatively; of others the page says why."""
_SHOWN = 5


def certificate(table: Published, data: Path, values: Iterable[Value]) -> str:
    """The page's lines of one published table.

    Raises:
        KeyError: a metric differs, and nobody has said why.
    """
    by_metric: dict[str, list[Value]] = {}
    for value in values:
        by_metric.setdefault(value.metric, []).append(value)
    by_metric = {name: by_metric[name] for name in sorted(by_metric, key=order)}
    but_for = f", but for {', '.join(table.of_other_files)}" if table.of_other_files else ""
    rows = [["metric", "values", "median difference", f"largest{but_for}", "of", "published", "ours"]]
    more = []
    for name, found in by_metric.items():
        median = statistics.median(abs(value.difference) for value in found)
        counted = [value for value in found if value.method not in table.of_other_files]
        worst = max(counted, key=lambda value: abs(value.difference))
        rows.append([name, str(len(found)), f"{median:.1e}", *_both(worst)])
        differing = [value for value in counted if abs(value.difference) > AGREES]
        if differing:
            more.append(_explained(table, data, name, differing, len(counted)))
    text = f"### {table.title[0].upper()}{table.title[1:]}; convention `{table.convention}`\n\n{markdown(rows)}"
    for method, why in table.of_other_files.items():
        more.append(_of_other_files(method, why, by_metric))
    return "\n".join([text, *more])


def _both(value: Value) -> list[str]:
    difference = f"{abs(value.difference):.1e}"
    return [difference, f"{value.method}, {value.image}", f"{value.published:.5g}", f"{value.ours:.5g}"]


def _explained(table: Published, data: Path, name: str, differing: Sequence[Value], count: int) -> str:
    """Why a metric differs, with both numbers, and what it is when measured as there."""
    deviation = DEVIATIONS[table.folder, name]
    rows = [["image", "method", "published", "ours", "difference", "measured as there", "difference"]]
    shown = sorted(differing, key=lambda value: -abs(value.difference))[:_SHOWN]
    for value in shown:
        again = _as_there(table, data, value)
        percent = (f"{100 * each:+.3f} %" for each in (value.difference, again / value.published - 1))
        first, second = percent
        numbers = [f"{value.published:.5g}", f"{value.ours:.5g}", first, f"{again:.5g}", second]
        rows.append([value.image, value.method, *numbers])
    which = f"{len(differing)} of {count} values differ by more than {AGREES:g}"
    which += f"; the {len(shown)} that do most:" if len(shown) < len(differing) else ":"
    return f"**{name}.** {deviation.why} {which}\n\n{markdown(rows)}"


def _as_there(table: Published, data: Path, value: Value) -> float:
    """The published metric by :mod:`benchmarks.deviations`; of colour, the mean over the bands."""
    files = files_of(table, data, value.image, value.method)
    (pair,) = all_paired(files[0], files[1:])
    fused, sources = pair.read([Reading()] * len(files), get_convention(table.convention).colour)
    bands = max(image.shape[1] for image in (fused, *sources))
    images = [image[0].expand(bands, -1, -1).double().numpy() for image in (fused, *sources)]
    measure = DEVIATIONS[table.folder, value.metric].measure
    return statistics.fmean(measure(first, others) for first, *others in zip(*images, strict=True))


def _of_other_files(method: str, why: str, by_metric: dict[str, list[Value]]) -> str:
    rows = [["metric", "median difference", "largest", "of", "published", "ours"]]
    for name, found in by_metric.items():
        own = [value for value in found if value.method == method]
        if not own:
            continue
        median = statistics.median(abs(value.difference) for value in own)
        worst = max(own, key=lambda value: abs(value.difference))
        rows.append([name, f"{median:.1e}", *_both(worst)])
    return f"**{method}.** {why}\n\n{markdown(rows)}"


def metric_table() -> str:
    """The page's table of all metrics, as they are registered."""
    rows = [["name", "", "function, class", "what it is", "smallest image", "gradient", "measured"]]
    for info in METRICS.values():
        names = f"`{info.function.__name__}`, `{info.class_name}`"
        small = f"{info.min_side}x{info.min_side}" if info.min_side > 1 else ""
        asked = "by name, with a network" if info.needs_network else "by name" if info.optional else "always"
        gradient = "yes" if info.differentiable else "no"
        rows.append([info.name, info.arrow, names, info.summary, small, gradient, asked])
    return markdown(rows)


def replaced(page: str, mark: str, content: str) -> str:
    """The page with other lines between a mark and the next ``<!-- end -->``.

    Raises:
        DataError: the page has no such mark.
    """
    pattern = re.compile(rf"(<!-- {mark} -->\n).*?(<!-- end -->)", re.DOTALL)
    if not pattern.search(page):
        raise DataError(f"no lines between <!-- {mark} --> and <!-- end --> to write anew")
    return pattern.sub(lambda match: f"{match[1]}\n{content.strip()}\n\n{match[2]}", page, count=1)


def main(arguments: list[str] | None = None) -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = os.environ.get("METALOSS_DATA", ROOT.parent / "shared" / "data")
    parser.add_argument("--data", type=Path, default=Path(default), help="default: $METALOSS_DATA")
    parser.add_argument("--page", type=Path, default=PAGE, help="default: docs/metrics.md")
    parser.add_argument("--table", action="store_true", help="write the table of metrics alone")
    given = parser.parse_args(arguments)
    page = replaced(given.page.read_text(encoding="utf-8"), "metrics", metric_table())
    if not given.table:
        torch.set_num_threads(1)
        parts = []
        for table in TABLES:
            rows, values = rows_of(table, given.data), []
            with progress_bar(table.folder, len(rows)) as advance:
                for row in rows:
                    values += values_of(table, given.data, [row])
                    advance(f"{row['image']}, {row['method']}")
            parts.append(certificate(table, given.data, values))
        page = replaced(page, "certificate", "\n".join(parts))
    given.page.write_text(page, encoding="utf-8")
    print(f"written: {given.page}")


if __name__ == "__main__":
    main()
