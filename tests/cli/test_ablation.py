"""``metaloss ablation``: every row of TDFusion's Table 3, shortened."""

import csv
import io
import json

import pytest

pytest.importorskip("mmseg")

from metaloss.cli.ablation import EXPERIMENTS
from metaloss.runtime import files

CONFIG = "tdfusion/segformer_synthetic"


def small(*more):
    settings = ("train_scenes=4", "val_scenes=2", "image_size=(32,32)", "task_size=32", "crop_size=16", "max_epochs=1")
    return [
        text for option in (*settings, "warmup_epochs=0", "meta_steps=1", *more) for text in ("--cfg-options", option)
    ]


@pytest.mark.slow
def test_all_rows(command, tmp_path) -> None:
    arguments = ["ablation", CONFIG, *small(), "--work-dir", tmp_path, "--format", "csv"]
    done = command(*arguments)
    assert done.status == 0
    found = [row for row in csv.DictReader(io.StringIO(done.out)) if row["seed"] == "0"]
    assert [row["method"].split()[0] for row in found] == list(EXPERIMENTS)
    assert {"EN", "SF", "SCD", "Qabf", "mIoU"} <= set(found[0])
    assert not any("weight" in name for name in found[0])
    states = {name: files.load(tmp_path / name / "epoch_1.pth")["state_dict"] for name in EXPERIMENTS}
    assert not any(key.startswith("loss.generator") for key in states["I"])
    assert any(key.startswith("loss.generator") for key in states["full"])
    assert not any(key.startswith("fusion.decoder") for key in states["V"])
    # what is finished is not trained again
    content = json.loads((tmp_path / "II" / "result.json").read_text())
    content["metrics"]["EN"] = 77.0
    (tmp_path / "II" / "result.json").write_text(json.dumps(content))
    again = [row for row in csv.DictReader(io.StringIO(command(*arguments).out)) if row["seed"] == "0"]
    assert float(again[1]["EN"]) == 77


@pytest.mark.slow
def test_one_row_over_two_seeds(command, tmp_path) -> None:
    done = command("ablation", CONFIG, "--only", "I", "--seeds", 2, *small(), "--work-dir", tmp_path)
    assert done.status == 0
    assert done.out.splitlines()[0].startswith("mean ± standard deviation over 2 seeds")
    seeds = [json.loads((tmp_path / "I" / f"seed_{seed}" / "result.json").read_text()) for seed in (0, 1)]
    assert [seed["settings"]["seed"] for seed in seeds] == [0, 1]
    assert seeds[0]["metrics"]["EN"] != seeds[1]["metrics"]["EN"]


@pytest.mark.slow
def test_real_pairs(command, fields, tmp_path) -> None:
    settings = ("max_epochs=1", "warmup_epochs=0", "meta_steps=1", "crop_size=32", "task_size=(48,64)")
    options = [text for option in (f"data_root={fields}", *settings) for text in ("--cfg-options", option)]
    rows = ("--only", "I", "--only", "full")
    done = command("ablation", "tdfusion/segformer_cwfid", *rows, *options, "--work-dir", tmp_path, "--format", "csv")
    assert done.status == 0
    found = [row for row in csv.DictReader(io.StringIO(done.out)) if row["seed"] == "0"]
    assert [row["method"] for row in found] == ["I uniform weights", "full the method"]
    assert all(0 < float(row["mIoU"]) <= 100 and float(row["EN"]) > 0 for row in found)


def test_an_unknown_row(refused) -> None:
    assert refused("ablation", CONFIG, "--only", "VI") == "--only VI: choose from I, II, III, IV, V, full"


def test_a_setting_that_the_config_has_not(refused, tmp_path) -> None:
    told = refused("ablation", CONFIG, "--cfg-options", "max_epoch=1", "--work-dir", tmp_path / "runs")
    assert "max_epochs" in told
    assert not (tmp_path / "runs").exists()


def test_rows_that_the_image_update_has_not(refused, tmp_path) -> None:
    line = refused("ablation", "recommended/segformer_synthetic", "--work-dir", tmp_path / "runs")
    assert "inner_update='image'" in line
    assert "the rows IV, V" in line
    assert not (tmp_path / "runs").exists()
