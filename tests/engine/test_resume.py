"""A run that is killed and resumed ends bit for bit where the run that was never killed ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

pytest.importorskip("mmseg")

from metaloss.runtime import files

pytestmark = pytest.mark.slow
SETTINGS = (
    "train_scenes=6", "val_scenes=2", "image_size=(32,32)", "crop_size=16", "task_size=(32,32)", "max_epochs=3",
    "warmup_epochs=0", "meta_steps=3", "default_hooks.logger.interval=1",
)  # fmt: skip
LAST = "epoch_3.pth"


def start(work_dir, *options):
    """Starts a training with SegFormer: it has batch statistics, dropout and stochastic depth to get wrong."""
    command = [Path(sys.executable).with_name("metaloss"), "train", "tdfusion/segformer_synthetic"]
    command += ["--work-dir", work_dir, *options, *(word for given in SETTINGS for word in ("--cfg-options", given))]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def finish(process):
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return out, err


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that was never killed, begun by --resume in a folder where there is nothing to resume."""
    work_dir = tmp_path_factory.mktemp("whole")
    (work_dir / f".{LAST}.1.partial").write_bytes(b"half a checkpoint")
    _, err = finish(start(work_dir, "--resume"))
    return work_dir, err


def differences(first, second, place=""):
    """Where two contents are not the same, to the bit."""
    if isinstance(first, torch.Tensor):
        return [] if first.dtype == second.dtype and torch.equal(first, second) else [place]
    if isinstance(first, dict):
        assert first.keys() == second.keys(), place
        return [found for key in first for found in differences(first[key], second[key], f"{place}/{key}")]
    if isinstance(first, (list, tuple)):
        assert len(first) == len(second), place
        return [
            found
            for k, pair in enumerate(zip(first, second, strict=True))
            for found in differences(*pair, f"{place}/{k}")
        ]
    return [] if first == second else [place]


def assert_same_end(whole, resumed):
    first, second = (files.load(folder / LAST) for folder in (whole, resumed))
    for part in ("fusion", "loss", "task", "optimizers", "schedulers", "pending", "random", "progress", "metaloss"):
        assert differences(first[part], second[part]) == [], part
    assert (
        (first["meta"]["epoch"], first["meta"]["iter"]) == (second["meta"]["epoch"], second["meta"]["iter"]) == (3, 18)
    )
    assert not list(resumed.glob(".*")), "partial files are left"


def test_resume_with_nothing_there_starts_afresh(whole):
    work_dir, err = whole
    assert err == f"no checkpoint in {work_dir}: starting from the beginning\n"
    assert not list(work_dir.glob(".*"))
    assert len(list(work_dir.glob("epoch_*.pth"))) == 3


def test_two_runs_of_one_seed_differ_in_nothing_but_a_run_does_train(whole):
    work_dir, _ = whole
    first, second = (files.load(work_dir / f"epoch_{k}.pth") for k in (2, 3))
    assert all(differences(first[part], second[part]) for part in ("fusion", "loss", "task"))


def test_killed_in_the_second_epoch(whole, tmp_path):
    process = start(tmp_path)
    for line in process.stdout:
        if "Epoch(train) [2][2/6]" in line:
            break
    kill(process)
    assert sorted(path.name for path in tmp_path.glob("*.pth")) == ["epoch_1.pth"]
    out, err = finish(start(tmp_path, "--resume"))
    assert err == ""
    assert "Epoch(train) [2][1/6]" in out
    assert "Epoch(train) [1][" not in out
    assert_same_end(whole[0], tmp_path)


def killed_while_writing(work_dir):
    """Kills a run while it writes its second checkpoint."""
    process = start(work_dir)
    while process.poll() is None:
        if list(work_dir.glob(".epoch_2.pth.*.partial")):
            break
        time.sleep(0.0005)
    kill(process)
    return bool(list(work_dir.glob(".epoch_2.pth.*.partial")))


def test_killed_while_a_checkpoint_is_written(whole, tmp_path):
    # the file is there for some hundredths of a second: rarely one kill comes too late
    folders = [tmp_path / str(attempt) for attempt in range(4)]
    work_dir = next(folder for folder in folders if killed_while_writing(folder))
    assert not (work_dir / "epoch_2.pth").exists()
    files.load(work_dir / "epoch_1.pth")
    finish(start(work_dir, "--resume"))
    assert_same_end(whole[0], work_dir)


def test_a_checkpoint_of_another_network(whole, tmp_path):
    content = files.load(whole[0] / "epoch_1.pth")
    content["task"].pop("segmentor.decode_head.conv_seg.weight")
    files.save(tmp_path / "epoch_7.pth", content)
    process = start(tmp_path, "--resume")
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (2, "")
    assert err == (
        f"error: {tmp_path / 'epoch_7.pth'}: not a checkpoint of this config's networks: the saved task network is not "
        "this MMSegTask: 1 missing, the first 'segmentor.decode_head.conv_seg.weight'\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["epoch_7.pth"]
