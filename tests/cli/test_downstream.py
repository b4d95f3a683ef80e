"""``metaloss downstream``, with the real task network on small real and procedural scenes."""

import csv
import io
import json

import numpy as np
import pytest
import torch
from PIL import Image

from metaloss.runtime import files

pytest.importorskip("mmseg")


CONFIG = "tdfusion/segformer_synthetic"
SMALL = [
    text
    for option in ("train_scenes=2", "val_scenes=2", "image_size=(32,32)", "task_size=32", "crop_size=16")
    for text in ("--cfg-options", option)
]


def rows(out):
    return list(csv.DictReader(io.StringIO(out)))


@pytest.mark.slow
def test_rows_for_each_source_and_for_fused_images(command, weights, tmp_path) -> None:
    work_dir = tmp_path / "runs"
    arguments = ["downstream", CONFIG, "--weights", f"mine={weights}", "--epochs", 1, "--seeds", 2, *SMALL]
    arguments += ["--work-dir", work_dir, "--format", "csv"]
    done = command(*arguments)
    assert done.status == 0
    found = rows(done.out)
    assert [(row["method"], row["seed"]) for row in found[:6]] == [
        (name, seed) for name in ("ir", "vi", "mine") for seed in "01"
    ]
    assert all(0 <= float(row["mIoU"]) <= 100 for row in found)
    # finished runs are taken up, and nothing is trained again
    result = work_dir / "ir" / "seed_0.json"
    content = json.loads(result.read_text())
    content["metrics"]["mIoU"] = 77.0
    result.write_text(json.dumps(content))
    again = rows(command(*arguments).out)
    assert float(again[0]["mIoU"]) == 77
    assert [path.name for path in work_dir.glob("*/*.pth")] == []
    # a longer budget is another experiment
    arguments[arguments.index("--epochs") + 1] = 2
    refused = command(*arguments)
    assert refused.status == 2
    assert "made with other settings (epochs; epochs was 1)" in refused.err


@pytest.mark.slow
def test_real_pairs_that_were_fused_before(command, fields, tmp_path) -> None:
    train, test = ((fields / f"{part}.txt").read_text().split() for part in ("train", "test"))
    fused = tmp_path / "average"
    fused.mkdir()
    for name in [*train, *test]:
        pair = [
            np.asarray(Image.open(next((fields / part).glob(f"{name}.*"))).convert("L"), float) for part in ("ir", "vi")
        ]
        Image.fromarray((sum(pair) / 2).round().astype(np.uint8)).save(fused / f"{name}.png")
    arguments = ["downstream", "tdfusion/segformer_cwfid", "--fused", fused, "--seeds", 1, "--epochs", 1]
    arguments += ["--cfg-options", f"data_root={fields}", "--cfg-options", "task_size=(48,64)"]
    done = command(*arguments, "--work-dir", tmp_path / "runs")
    assert done.status == 0
    lines = done.out.splitlines()
    assert lines[0] == "one seed; * best, ' second best"
    assert [line.split()[0] for line in lines[1:]] == ["method", "ir", "vi", "average"]
    (fused / f"{test[0]}.png").unlink()
    missing = command(*arguments, "--work-dir", tmp_path / "others")
    assert missing.status == 2
    assert f"no fused image for {test[0]} of 2 scenes" in missing.err


def test_mistakes_are_told_before_anything_is_read(refused, tmp_path) -> None:
    assert (
        refused("downstream", CONFIG, "--fused", tmp_path / "absent")
        == f"--fused {tmp_path / 'absent'}: no such folder"
    )
    assert "no such file" in refused("downstream", CONFIG, "--weights", tmp_path / "absent.pth")
    (tmp_path / "a").mkdir()
    twice = refused("downstream", CONFIG, "--fused", tmp_path / "a", "--fused", f"a={tmp_path}")
    assert "the name 'a' is taken" in twice
    assert "neither a file nor the name of a shipped config" in refused("downstream", "tdfusion/segformr")


def test_a_source_has_its_name_already(refused, tmp_path) -> None:
    assert "the name 'ir' is taken by another row" in refused("downstream", CONFIG, "--fused", f"ir={tmp_path}", *SMALL)


def test_the_random_generators_are_left_alone(command, tmp_path) -> None:
    before = torch.get_rng_state()
    from metaloss.engine import Downstream, load_config

    Downstream(load_config(CONFIG, {"train_scenes": 2, "val_scenes": 2, "image_size": (32, 32)}), tmp_path, 1).sources()
    assert torch.equal(torch.get_rng_state(), before)


def test_a_config_without_files_has_no_range(refused) -> None:
    assert "has no 'range'" in refused("downstream", CONFIG, "--range", "data", *SMALL)


@pytest.mark.slow
def test_networks_see_the_range_of_the_data(command, mean, scenes, tmp_path) -> None:
    """What was fused from sources of another range is not taken up, and another than in training is said."""
    from metaloss.engine import Downstream, load_config
    from metaloss.plugins import load_fusion

    protocols = {
        given: Downstream(
            load_config("tdfusion/segformer_msrs", {"data_root": str(scenes), "classes": 3, "range": given}),
            tmp_path,
            1,
        )
        for given in ("full", (50, 100))
    }
    methods = [protocol.fused("mean", mean, load_fusion(mean)) for protocol in protocols.values()]
    assert methods[0].identity != methods[1].identity
    full, ranged = (
        torch.from_numpy(np.asarray(Image.open(method.images["test"].files["05"]), dtype=float)) for method in methods
    )
    assert (full - ranged).abs().max() > 50
    content = files.load(mean)
    content["metaloss"]["data"] = {"range": ["data", "full"]}
    files.save(mean, content)
    arguments = ["downstream", "tdfusion/segformer_msrs", "--weights", mean, "--range", "ir=data", "--range", "vi=data"]
    arguments += ["--cfg-options", f"data_root={scenes}", "classes=3", "task_size=32", "--work-dir", tmp_path / "runs"]
    done = command(*arguments, "--epochs", 1, "--seeds", 1)
    assert done.status == 0
    assert [line for line in done.err.splitlines() if line.startswith("warning:")] == [
        f"warning: {mean} was trained on sources of the range data full, and the data is read with data data: --range "
        "takes another"
    ]
