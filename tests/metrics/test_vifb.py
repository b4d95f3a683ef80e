"""Agreement with the values that the VIFB benchmark published for its images, band by band."""

import csv

import numpy as np
import pytest
import torch
from PIL import Image

from metaloss.metrics.chen_blum import qcb
from metaloss.metrics.conventions import CONVENTIONS
from metaloss.metrics.cross_entropy import cross_entropy
from metaloss.metrics.difference import root_mean_squared_error
from metaloss.metrics.edge_intensity import edge_intensity
from metaloss.metrics.images import split

COLUMNS = {
    "Cross_entropy": cross_entropy,
    "Edge_intensity": edge_intensity,
    "Rmse": root_mean_squared_error,
    "Qcb": qcb,
}
SOME = [("carLight", "ADF"), ("fight", "CNN"), ("manlight", "U2Fusion"), ("walkingnight", "SwinFusion")]


def bands(path):
    """An image as a batch of three grey ones; a grey image three times."""
    pixels = np.asarray(Image.open(path).convert("RGB"), dtype=np.float64)
    return torch.from_numpy(pixels).permute(2, 0, 1)[:, None]


def relative_differences(folder, chosen):
    with open(folder / "published_values.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if chosen is None or (row["image"], row["method"]) in chosen]
    differences = {name: [] for name in COLUMNS}
    for row in rows:
        sources = [bands(folder / kind / f"{row['image']}.jpg") for kind in ("ir", "vi")]
        fused = bands(folder / "fused" / row["method"] / f"{row['image']}.jpg")
        for name, metric in COLUMNS.items():
            value = torch.cat([metric(images, CONVENTIONS["vifb"]) for images in split(fused, sources)]).mean().item()
            differences[name].append(abs(value / float(row[name]) - 1))
    return differences


def test_some_values_of_the_table(real_data):
    for name, differences in relative_differences(real_data("vifb"), SOME).items():
        assert len(differences) == len(SOME)
        assert max(differences) < 1e-3, name


@pytest.mark.slow
def test_all_values_of_the_table(real_data):
    for name, differences in relative_differences(real_data("vifb"), None).items():
        assert len(differences) == 168
        assert np.median(differences) < 1e-4, name
