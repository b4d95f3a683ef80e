"""Compares every metric with published values, image by image, and writes the tables of docs/metrics.md.

    python -m benchmarks.certificates [--data FOLDER] [--page docs/metrics.md]

``FOLDER`` (default: ``$METALOSS_DATA``) holds ``vifb`` and ``metric_reference_tno``. The page's lines between the marks
``<!-- certificate -->`` and ``<!-- end -->`` are written anew, and so are those of the table of metrics, for which no
data is needed: ``--table`` writes that one alone.
"""

from __future__ import annotations

import argparse
import csv
import os
import re
import statistics
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from metaloss.errors import DataError
from metaloss.metrics import METRICS, evaluate
from metaloss.report.tables import markdown
from metaloss.runtime.progress_bar import progress_bar

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "metrics.md"
AGREES = 1e-3
"""A metric agrees where no value differs by more, relatively; of others the page says why."""
_SHOWN = 3


@dataclass(frozen=True)
class Published:
    """A table of published values, and the images that they are of.

    Attributes:
        folder: its name below the data: ``ir``, ``vi``, ``fused/METHOD`` and ``published_values.csv``.
        title: of the table, for the page.
        convention: under which it was computed.
        columns: by its name for a metric ours.
    """

    folder: str
    title: str
    convention: str
    columns: dict[str, str]


TABLES = (
    Published(
        "vifb",
        "VIFB's values for 8 of its methods and all 21 image pairs",
        "vifb",
        {
            "Entropy": "EN",
            "Variance": "SD",
            "Spatial_frequency": "SF",
            "Avg_gradient": "AG",
            "Mutinf": "MI",
            "Psnr": "PSNR",
            "Qabf": "Qabf",
            "Ssim": "SSIM",
            "Qcv": "Qcv",
            "Cross_entropy": "CE",
            "Edge_intensity": "EI",
            "Rmse": "RMSE",
            "Qcb": "Qcb",
        },
    ),
    Published(
        "metric_reference_tno",
        "a published table by Linfeng Tang's evaluation, 4 methods and 4 pairs of TNO",
        "linfeng",
        {name: name for name in ("EN", "SF", "AG", "MI", "CC", "SCD", "MSE", "PSNR", "VIF", "Qabf")},
    ),
)
REASONS = {
    ("metric_reference_tno", "VIF"): "The table's VIF is not the pixel-domain VIFp, summed or averaged, with either "
    "image as the reference, on 0-255 or on [0, 1], with valid or padded windows; the code that made it was not at "
    "hand.",
}
"""By folder and metric: why values differ by more than :data:`AGREES`."""


@dataclass(frozen=True)
class Value:
    """One published value and ours."""

    metric: str
    image: str
    method: str
    published: float
    ours: float

    @property
    def difference(self) -> float:
        """Relative to the published one, with its sign."""
        return self.ours / self.published - 1


def rows_of(table: Published, data: Path) -> list[dict[str, str]]:
    """The rows of a published table, of one image and method each.

    Raises:
        DataError: the data is not there.
    """
    path = data / table.folder / "published_values.csv"
    if not path.is_file():
        raise DataError(
            f"{path}: no such file; --data or METALOSS_DATA has to name the folder that holds {table.folder}"
        )
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def values_of(table: Published, data: Path, rows: Iterable[dict[str, str]]) -> Iterator[Value]:
    """Measures what some rows of a published table are of, as ``metaloss evaluate`` does.

    Raises:
        DataError: an image is missing.
    """
    folder = data / table.folder
    columns = {theirs: ours for theirs, ours in table.columns.items() if ours in METRICS}
    for row in rows:
        image, method = row["image"], row["method"]
        files = [_file(folder / part, image) for part in (f"fused/{method}", "ir", "vi")]
        values = evaluate(files[0], files[1:], convention=table.convention, metrics=columns.values())
        for theirs, ours in columns.items():
            yield Value(ours, image, method, float(row[theirs]), values[ours].item())


def _file(folder: Path, stem: str) -> Path:
    for file in sorted(folder.glob(f"{stem}.*")):
        return file
    raise DataError(f"{folder / stem}.*: no such file")


def certificate(table: Published, values: Iterable[Value]) -> str:
    """The page's lines of one published table."""
    by_metric: dict[str, list[Value]] = {}
    for value in values:
        by_metric.setdefault(value.metric, []).append(value)
    rows = [["metric", "values", "median difference", "largest", "of", "published", "ours"]]
    differing = []
    for name, found in by_metric.items():
        sizes = [abs(value.difference) for value in found]
        worst = max(found, key=lambda value: abs(value.difference))
        cells = [f"{len(found)}", f"{statistics.median(sizes):.1e}", f"{max(sizes):.1e}"]
        rows.append([name, *cells, f"{worst.image}, {worst.method}", f"{worst.published:.5g}", f"{worst.ours:.5g}"])
        if max(sizes) > AGREES:
            differing.append((name, found))
    text = f"### With {table.title}, by the convention `{table.convention}`\n\n{markdown(rows)}"
    for name, found in differing:
        text += f"\n**{name}.** {REASONS[table.folder, name]} {_both_numbers(found)}"
    return text


def _both_numbers(values: list[Value]) -> str:
    """The values that differ, all of them or, of many, those that differ most."""
    differing = [value for value in values if abs(value.difference) > AGREES]
    shown = sorted(differing, key=lambda value: -abs(value.difference))[: max(_SHOWN, 16 if len(values) <= 16 else 0)]
    which = "All of them:" if len(shown) == len(values) else f"{len(differing)} of {len(values)}, the largest first:"
    rows = [["image", "method", "published", "ours", "difference"]]
    rows += [
        [value.image, value.method, f"{value.published:.5g}", f"{value.ours:.5g}", f"{100 * value.difference:+.2f} %"]
        for value in shown
    ]
    return f"{which}\n\n{markdown(rows)}"


def metric_table() -> str:
    """The page's table of all metrics, as they are registered."""
    rows = [["name", "", "function, class", "what it is", "smallest image", "gradient"]]
    for info in METRICS.values():
        names = f"`{info.function.__name__}`, `{info.class_name}`"
        what = info.summary + ("; by name alone" if info.optional else "") + ", with a network" * info.needs_network
        small = f"{info.min_side}x{info.min_side}" if info.min_side > 1 else ""
        rows.append([info.name, info.arrow, names, what, small, "yes" if info.differentiable else "no"])
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
    parser.add_argument("--data", type=Path, default=default, help="default: $METALOSS_DATA")
    parser.add_argument("--page", type=Path, default=PAGE, help="default: docs/metrics.md")
    parser.add_argument("--table", action="store_true", help="write the table of metrics alone")
    given = parser.parse_args(arguments)
    page = replaced(given.page.read_text(encoding="utf-8"), "metrics", metric_table())
    if not given.table:
        torch.set_num_threads(1)
        parts = []
        for table in TABLES:
            rows = rows_of(table, Path(given.data))
            with progress_bar(table.folder, len(rows)) as advance:
                values = []
                for row in rows:
                    values += values_of(table, Path(given.data), [row])
                    advance(f"{row['image']}, {row['method']}")
            parts.append(certificate(table, values))
        page = replaced(page, "certificate", "\n".join(parts))
    given.page.write_text(page, encoding="utf-8")
    print(f"written: {given.page}")


if __name__ == "__main__":
    main()
