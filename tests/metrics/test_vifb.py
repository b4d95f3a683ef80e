"""Agreement with the values that the VIFB benchmark published for its images, band by band."""

import csv

import numpy as np
import pytest
from PIL import Image

from metaloss.metrics import evaluate

COLUMNS = {"Cross_entropy": "CE", "Edge_intensity": "EI", "Rmse": "RMSE", "Qcb": "Qcb"}
SOME = [("carLight", "ADF"), ("fight", "CNN"), ("manlight", "U2Fusion"), ("walkingnight", "GFF")]


def pixels(path):
    return np.asarray(Image.open(path), dtype=np.float64)


def relative_differences(folder, chosen):
    with open(folder / "published_values.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if chosen is None or (row["image"], row["method"]) in chosen]
    differences = {name: [] for name in COLUMNS}
    for row in rows:
        sources = [pixels(folder / kind / f"{row['image']}.jpg") for kind in ("ir", "vi")]
        fused = pixels(folder / "fused" / row["method"] / f"{row['image']}.jpg")
        values = evaluate(fused, sources, convention="vifb", metrics=COLUMNS.values())
        for column, name in COLUMNS.items():
            differences[column].append(abs(values[name].item() / float(row[column]) - 1))
    return differences


def test_some_values_of_the_table(real_data):
    for name, differences in relative_differences(real_data("vifb"), SOME).items():
        assert len(differences) == len(SOME)
        assert max(differences) < 1e-4, name


@pytest.mark.slow
def test_all_values_of_the_table(real_data):
    for name, differences in relative_differences(real_data("vifb"), None).items():
        assert len(differences) == 168
        assert np.median(differences) < 1e-4, name
