"""What is read of a run's folder, whole and damaged."""

import json
from pathlib import Path

import pytest
from run_folders import draw_strip, trained, validation

from metaloss.errors import ConfigError
from metaloss.report.page.run import read_run
from metaloss.runtime import files


def test_a_finished_run(leave):
    run = read_run(leave(), "mine")
    assert (run.notes, run.epochs, run.scalars.last, list(run.sources)) == ([], 4, 4, ["ir", "vi"])
    assert run.scalars.epochs["mIoU"] == {0: 0, 1: 10, 2: 20, 3: 30, 4: 40}
    assert run.scalars.epochs["epoch/meta/outer_loss"] == {epoch: 0.5 / epoch for epoch in (1, 2, 3, 4)}
    assert run.scalars.epochs["epoch/val/spread/ir/on/person"][2] == 0.1
    assert run.scalars.steps["fusion/loss"] == {10: 1.0, 20: 0.5, 30: 1 / 3, 40: 0.25}
    assert not {"time", "data_time", "iter", "epoch"} & {*run.scalars.epochs, *run.scalars.steps}
    assert list(run.pictures["night"]) == [0, 1, 2, 3, 4]


def test_settings_are_read_and_not_run(leave):
    folder = leave()
    config = next(folder.glob("*/vis_data/config.py"))
    config.write_text(config.read_text() + "bad = __import__('os').system('false')\nnone = dict()\n")
    run = read_run(folder, "mine")
    assert run.first["max_epochs"] == "4"
    assert run.first["model.loss.alpha"] == "1.0"
    assert run.others["custom_hooks.1.type"] == "metaloss.SpreadHook"
    assert run.others["bad"] == "__import__('os').system('false')"
    # what follows a setting at the top is said once, and the folder elsewhere
    assert not {"train_cfg.max_epochs", "optim.lr", "work_dir"} & {*run.first, *run.others}
    config.write_text("model = dict(")
    assert read_run(folder, "mine").notes[0].endswith("config.py: damaged; settings are not shown")


def test_a_resumed_run_takes_the_place_of_what_it_did_again(leave):
    folder = leave(done=3, mIoU=1.0)
    again = leave("other", start="20260102_120000", first=3, done=4, mIoU=2.0)
    (again / "20260102_120000").rename(folder / "20260102_120000")
    run = read_run(folder, "mine")
    assert run.scalars.epochs["mIoU"] == {0: 0, 1: 1, 2: 1, 3: 2, 4: 2}
    assert list(run.scalars.steps["fusion/loss"]) == [10, 20, 30, 40]
    assert [path.parents[2].name for path in run.pictures["night"].values()] == ["20260101_120000"] * 3 + [
        "20260102_120000"
    ] * 2


def test_a_resumed_run_that_only_validated(leave):
    folder = leave(done=3, mIoU=1.0)
    data = folder / "20260102_120000" / "vis_data"
    data.mkdir(parents=True)
    (data / "scalars.json").write_text("".join(json.dumps(line) + "\n" for line in validation(3, mIoU=2.0)))
    run = read_run(folder, "mine")
    assert run.scalars.epochs["mIoU"] == {0: 0, 1: 1, 2: 1, 3: 2}
    assert list(run.scalars.epochs["epoch/meta/outer_loss"]) == [1, 2, 3]
    assert list(run.scalars.steps["fusion/loss"]) == [10, 20, 30]


def test_a_run_that_began_anew_leaves_nothing_of_the_first(leave):
    folder = leave(done=4, scene="day")
    data = folder / "20260103_120000" / "vis_data"
    data.mkdir(parents=True)
    (data / "scalars.json").write_text(json.dumps(trained(1)[0]) + "\n")  # it died in its first epoch
    (data / "config.py").write_text("max_epochs = 4\ntrain_cfg = dict(max_epochs=4)")
    run = read_run(folder, "mine")
    assert run.scalars.last == 0
    assert run.scalars.steps == {"fusion/loss": {10: 1.0}, "meta/outer_loss": {10: 0.5}, "lr": {10: 0.001}}
    # the validation before the training was the first run's
    assert run.scalars.epochs.keys() >= {"mIoU"}
    assert list(run.pictures["day"]) == [0]


def test_damaged_lines_are_named(leave):
    folder = leave(epochs=9)
    log = next(folder.glob("*/vis_data/scalars.json"))
    lines = log.read_text().splitlines()
    log.write_bytes("\n".join([lines[0], "{half", "[1]", *lines[1:-1]]).encode() + b'\n{"mIoU": 1, "st\xff')
    run = read_run(folder, "mine")
    assert run.notes[0] == f"20260101_120000/vis_data/scalars.json: lines 2, 3, {len(lines) + 2} damaged, and left out"
    assert run.notes[1].startswith("4 of 9 epochs are done")
    assert run.scalars.epochs["mIoU"] == {0: 0, 1: 10, 2: 20, 3: 30}


def test_what_is_missing_is_said(leave):
    folder = leave()
    for path in folder.glob("*/vis_data/vis_image/*"):
        path.unlink()
    assert "no pictures: PicturesHook" in read_run(folder, "mine").notes[0]
    next(folder.glob("*/vis_data/scalars.json")).write_text("")
    assert "no numbers of a whole epoch" in read_run(folder, "mine").notes[0]
    seldom = leave("seldom", done=6, epochs=6)
    log = next(seldom.glob("*/vis_data/scalars.json"))
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    kept = [line for line in lines if "mIoU" not in line or line["step"] in (0, 6)]
    log.write_text("".join(json.dumps(line) + "\n" for line in kept))
    assert "val_interval=1" in read_run(seldom, "mine").notes[0]


def test_a_run_by_script(tmp_path):
    log = [
        {"epoch": epoch, "outer_loss": 1 / epoch, "weight_0": 0.4, "weight_1": 0.6, "mIoU": epoch} for epoch in (1, 2)
    ]
    own = {"settings": {"batch_size": 2, "fusion_crop": [8, 8]}, "data": {"count": 4}, "fusion": {"name": "refusion"}}
    content = {"fusion": {}, "progress": {"epoch": 2, "step": 0, "log": log}, "metaloss": own}
    files.save(tmp_path / "epoch_2.pth", content)
    run = read_run(tmp_path, "mine")
    assert run.scalars.epochs["epoch/meta/outer_loss"] == {1: 1.0, 2: 0.5}
    assert run.scalars.epochs["epoch/fusion/weight_1"] == {1: 0.6, 2: 0.6}
    assert run.scalars.epochs["mIoU"] == {1: 1, 2: 2}
    assert list(run.sources) == ["source 0", "source 1"]
    assert run.first == {"batch_size": "2", "fusion_crop": "8, 8"}
    assert run.others == {"fusion.name": "refusion", "data.count": "4"}
    assert "Watch" in run.notes[0]
    # with what Watch has kept beside it
    data = tmp_path / "20260101_120000" / "vis_data"
    data.mkdir(parents=True)
    (data / "scalars.json").write_text("".join(json.dumps(line) + "\n" for line in validation(2)))
    draw_strip(data / "vis_image" / "val_a_2.png", 2)
    run = read_run(tmp_path, "mine")
    assert run.notes == []
    assert list(run.sources) == ["ir", "vi"]
    assert run.scalars.epochs["epoch/meta/outer_loss"] == {1: 1.0, 2: 0.5}
    assert run.scalars.epochs["mIoU"] == {1: 1, 2: 20}
    (tmp_path / "epoch_3.pth").write_bytes(b"damaged")
    assert "epoch_3.pth" in read_run(tmp_path, "mine").notes[0]


def test_folders_that_are_no_run(leave, tmp_path):
    folder = leave("runs/deep/mine")
    inside = f"{folder}"
    for given, words in (
        (tmp_path / "none", "none: no such folder; give the work dir of"),
        (next(folder.glob("*/vis_data/config.py")), "config.py: a file; give the work dir of"),
        (next(folder.glob("*/vis_data")), f"a part of a run; give the whole: {inside}"),
        (next(folder.glob("2*")), f"a part of a run; give the whole: {inside}"),
        (tmp_path / "runs", f"no run, but in it are some; give these: {inside}"),
    ):
        with pytest.raises(ConfigError) as error:
            read_run(given, "mine")
        assert words in str(error.value)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="an empty folder"):
        read_run(tmp_path / "empty", "mine")


def test_a_run_right_below_the_root(leave, monkeypatch):
    folder = leave()
    monkeypatch.setattr(Path, "resolve", lambda path: Path("/run") if path == folder else path)
    assert read_run(folder, "run").notes == []
