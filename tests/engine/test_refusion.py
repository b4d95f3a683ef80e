"""ReFusion by config: the four fusion tasks on real pairs, resume, and TDFusion's ablations as one option each."""

import json
import math

import pytest
import torch

pytest.importorskip("mmengine")

from metaloss.cli.main import main
from metaloss.data import SyntheticScenes, write_scenes
from metaloss.plugins import load_fusion
from metaloss.runtime import files

SYNTHETIC = "refusion/ivif_synthetic"
SMALL = (
    "max_epochs=2", "warmup_epochs=0", "meta_steps=2", "crop_size=16", "task_size=32", "train_scenes=4", "val_scenes=2",
    "image_size=32",
)  # fmt: skip


@pytest.fixture
def train(tmp_path, capsys):
    """Trains by config in this process; gives the work dir and what was printed."""

    def run(config, *options, work_dir="work", resume=False):
        settings = [word for option in options for word in ("--cfg-options", option)]
        with pytest.raises(SystemExit) as stopped:
            main(["train", config, "--work-dir", str(tmp_path / work_dir), *["--resume"] * resume, *settings])
        written = capsys.readouterr()
        assert stopped.value.code == 0, written.err
        return tmp_path / work_dir, written.out

    return run


def scalars(work_dir):
    """What the run logged: per step, and per validation; the means of phases are left out."""
    newest = sorted(work_dir.glob("*/vis_data/scalars.json"))[-1]
    lines = [json.loads(line) for line in newest.read_text().splitlines()]
    lines = [line for line in lines if not any(name.startswith("epoch/") for name in line)]
    return [line for line in lines if "epoch" in line], [line for line in lines if "epoch" not in line]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "data", "sources", "passes"),  # fusion steps per epoch: training pairs, or their tiles, by two
    [
        ("ivif", "roadscene", ["ir", "vi"], 1),
        ("mif", "medical", ["CT-PET-SPECT", "MRI"], 2),
        ("mfif", "multifocus", ["A", "B"], 5),
        ("mef", "multiexposure", ["A", "B"], 5),
    ],
)
def test_reconstruction_of_held_out_pairs_gets_better(train, real_data, name, data, sources, passes):
    work_dir, out = train(
        f"refusion/{name}", f"data_root={real_data(data)}", "max_epochs=5", "meta_steps=2", "crop_size=32",
        "task_size=64", "lr=1e-3", "lr_step=4", "default_hooks.logger.interval=1",
    )  # fmt: skip
    steps, validations = scalars(work_dir)
    first, last = validations[0], validations[-1]
    assert last["reconstruction/MSE"] < first["reconstruction/MSE"]
    assert last["reconstruction/PSNR"] > first["reconstruction/PSNR"]
    assert last["task_loss"] < first["task_loss"]
    assert {len([step for step in steps if step["epoch"] == epoch]) for epoch in (1, 5)} == {2 + passes}
    for epoch, rate in ((3, 1e-3), (5, 1e-4)):
        optimizers = files.load(work_dir / f"epoch_{epoch}.pth")["optimizers"]
        assert [part["param_groups"][0]["lr"] for part in optimizers.values()] == pytest.approx([rate] * 3)
    assert all(f"mean weight of {source}" in out for source in sources)
    assert (work_dir / "pictures" / "overview.png").exists()


@pytest.mark.slow
def test_no_label_is_read(train, tmp_path):
    root = tmp_path / "data"
    write_scenes(root, SyntheticScenes(5, size=32))
    for label in (root / "label").iterdir():
        label.write_bytes(b"no image")
    (root / "train.txt").write_text("nobody\n")
    work_dir, _ = train("refusion/ivif", f"data_root={root}", *SMALL[:5])
    trained = files.load(work_dir / "epoch_2.pth")["pending"]
    assert trained["skipped"] == 0
    _, validations = scalars(work_dir)
    assert all(math.isfinite(values["reconstruction/MSE"]) for values in validations)
    assert validations


@pytest.mark.slow
def test_a_resumed_run_ends_where_the_whole_one_does(train):
    """The ramp, the schedule and half an accumulated update of G go on in the middle."""
    options = [*SMALL, "max_epochs=3", "meta_steps=3", "lr=1e-2"]
    options.remove("max_epochs=2")
    whole, _ = train(SYNTHETIC, *options)
    part, _ = train(SYNTHETIC, *options, work_dir="part")
    for epoch in (2, 3):
        (part / f"epoch_{epoch}.pth").unlink()
    (part / "last_checkpoint").unlink()
    train(SYNTHETIC, *options, work_dir="part", resume=True)
    first, second = (files.load(folder / "epoch_3.pth") for folder in (whole, part))
    assert first["state_dict"].keys() == second["state_dict"].keys()
    assert all(torch.equal(value, second["state_dict"][name]) for name, value in first["state_dict"].items())
    assert first["pending"]["count"] == second["pending"]["count"] == 1


PHASES = {
    "model.loss.weights=uniform": {"fusion"},
    "model.loss.alpha=0": {"meta", "fusion"},
    "model.fusion_sees_task_loss=True": {"meta", "fusion"},
    "model.separate_fusion_learning=False": {"meta"},
    "model.fusion=weighted_sum": {"meta", "fusion"},
}


@pytest.mark.slow
@pytest.mark.parametrize("option", PHASES)
def test_an_ablation_is_one_option(train, option):
    work_dir, _ = train(SYNTHETIC, *SMALL, "default_hooks.logger.interval=1", option)
    steps, validations = scalars(work_dir)
    assert {name.partition("/")[0] for step in steps for name in step if "/" in name} == PHASES[option]
    before, after = files.load(work_dir / "epoch_1.pth"), files.load(work_dir / "epoch_2.pth")
    optimizers = {"fusion", "task", "loss"}
    optimizers -= {"loss"} if "uniform" in option else {"fusion"} if "sum" in option else set()
    assert {name for name, part in after["optimizers"].items() if part is not None} == optimizers
    changed = {
        name.partition(".")[0]
        for name, value in after["state_dict"].items()
        if not torch.equal(value, before["state_dict"][name])
    }
    assert changed == ({"fusion", "task"} if "uniform" in option else {"fusion", "task", "loss"})
    assert "reconstruction/MSE" in validations[-1]
    fused = load_fusion(work_dir / "epoch_2.pth")(torch.rand(1, 1, 9, 9), torch.rand(1, 1, 9, 9))
    assert fused.shape == (1, 1, 9, 9)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["model.fusion=weighted_sum", "model.fusion_sees_task_loss=True"], "a sum has no fusion network to train"),
        (["model.fusion=average"], "fusion='average': expected a network, or 'weighted_sum'"),
        (["model.separate_fusion_learning=False", "meta_steps=0"], "nothing would be trained; give meta_steps"),
    ],
)
def test_ablations_that_make_no_sense_are_refused_in_one_line(tmp_path, capsys, options, message):
    settings = [word for option in (*SMALL, *options) for word in ("--cfg-options", option)]
    with pytest.raises(SystemExit) as stopped:
        main(["train", SYNTHETIC, "--work-dir", str(tmp_path / "work"), *settings])
    err = capsys.readouterr().err
    assert stopped.value.code == 2
    assert err.startswith("error: ")
    assert message in err
    assert err.count("\n") == 1
