"""Agreement with published values: 4 TNO pairs, 4 methods."""

import csv

import numpy as np
import pytest
import torch
from PIL import Image

from metaloss.metrics import CONVENTIONS, METRICS, evaluate

EVERYWHERE = ("EN", "CC", "SCD")
UNDER_LINFENG = ("MI", "AG", "Qabf", "SF", "PSNR", "MSE")


def grey(path):
    pixels = np.asarray(Image.open(path), dtype=np.float64)
    if pixels.ndim == 3:
        pixels = np.round(pixels @ [0.299, 0.587, 0.114])
    return torch.from_numpy(pixels).float()[None, None]


@pytest.fixture
def published(real_data):
    folder = real_data("metric_reference_tno")
    with open(folder / "published_values.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    images = {}
    for row in rows:
        image, method = row["image"], row["method"]
        sources = tuple(grey(folder / name / f"{image}.png") for name in ("ir", "vi"))
        images[image, method] = grey(folder / "fused" / method / f"{image}.png"), sources
    assert len(images) == 16
    return rows, images


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_values_that_every_convention_shares(published, convention):
    rows, images = published
    for row in rows:
        values = evaluate(*images[row["image"], row["method"]], convention=convention, metrics=EVERYWHERE)
        for name in EVERYWHERE:
            assert values[name].item() == pytest.approx(float(row[name]), rel=1e-3), (name, row)


def test_values_of_the_table_under_its_convention(published):
    rows, images = published
    for row in rows:
        values = evaluate(*images[row["image"], row["method"]], convention="linfeng", metrics=UNDER_LINFENG)
        for name in UNDER_LINFENG:
            assert values[name].item() == pytest.approx(float(row[name]), rel=1e-2), (name, row)


@pytest.mark.slow
def test_vif_stays_below_the_table_as_documented(published):
    rows, images = published
    deviations = []
    for row in rows:
        value = evaluate(*images[row["image"], row["method"]], convention="linfeng", metrics=["VIF"])["VIF"].item()
        deviations.append(value / float(row["VIF"]) - 1)
    assert min(deviations) == pytest.approx(-0.354, abs=0.005)
    assert max(deviations) == pytest.approx(-0.134, abs=0.005)


@pytest.mark.slow
def test_float32_within_a_thousandth_of_float64_on_real_images(published):
    _, images = published
    for key in (("11", "DenseFuse"), ("20", "SeAFusion")):
        fused, sources = images[key]
        single = evaluate(fused, sources)
        double = evaluate(fused.double(), [source.double() for source in sources])
        for name in single:
            assert METRICS[name].optional or single[name].item() == pytest.approx(double[name].item(), rel=1e-3), name
