"""Published values of metrics, image by image, and ours for the same files."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from metaloss.errors import DataError
from metaloss.metrics import METRICS, evaluate


@dataclass(frozen=True)
class Published:
    """A table of published values, and the images that they are of.

    Attributes:
        folder: its name below the data: ``ir``, ``vi``, ``fused/METHOD`` and ``published_values.csv``.
        title: of the table, for the page.
        convention: under which it was computed.
        columns: by its name for a metric ours.
        of_other_files: methods whose values are not those of the files at hand, and how that is known.
    """

    folder: str
    title: str
    convention: str
    columns: dict[str, str]
    of_other_files: dict[str, str] = field(default_factory=dict)


TABLES = (
    Published(
        "vifb",
        "VIFB's table: 8 methods, 21 pairs in colour",
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
        {
            "SwinFusion": "All its values differ, also those of EN, SD, SF, AG and EI, for which the fused image alone "
            "counts and all other methods agree: they are of other files than the published ones, such as the images "
            "before they were written as JPEG."
        },
    ),
    Published(
        "metric_reference_tno",
        "a table by Linfeng Tang's evaluation: 4 methods, 4 pairs of TNO",
        "linfeng",
        {name: name for name in ("EN", "SF", "AG", "MI", "CC", "SCD", "MSE", "PSNR", "Qabf", "VIF")},
    ),
)


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
        raise DataError(f"{path}: no such file; --data or METALOSS_DATA has to name the folder with {table.folder}")
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def values_of(table: Published, data: Path, rows: Iterable[dict[str, str]]) -> Iterator[Value]:
    """Measures what some rows of a published table are of, as ``metaloss evaluate`` does.

    Raises:
        DataError: an image is missing.
    """
    for row in rows:
        files = files_of(table, data, row["image"], row["method"])
        values = evaluate(files[0], files[1:], convention=table.convention, metrics=table.columns.values())
        for theirs, ours in table.columns.items():
            yield Value(ours, row["image"], row["method"], float(row[theirs]), values[ours].item())


def files_of(table: Published, data: Path, image: str, method: str) -> list[Path]:
    """The files of a fused image and of its sources.

    Raises:
        DataError: one is missing.
    """
    found = []
    for part in (f"fused/{method}", "ir", "vi"):
        files = sorted((data / table.folder / part).glob(f"{image}.*"))
        if not files:
            raise DataError(f"{data / table.folder / part}: no file is named {image}")
        found.append(files[0])
    return found


def order(name: str) -> int:
    """The place of a metric in tables."""
    return list(METRICS).index(name)
