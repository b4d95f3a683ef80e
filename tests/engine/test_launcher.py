"""Two processes train by config: to the end, after one of them has died, and not at all after a mistake."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

pytest.importorskip("mmseg")

from metaloss.cli.main import main
from metaloss.engine import build_runner, launch, load_config
from metaloss.engine.launch import COMMAND
from metaloss.errors import ConfigError
from metaloss.runtime import files

slow = pytest.mark.slow
CONFIG = "tdfusion/segformer_synthetic"
SETTINGS = (
    "train_scenes=6", "val_scenes=3", "image_size=(48,48)", "crop_size=16", "task_size=(48,48)", "max_epochs=2",
    "warmup_epochs=0", "meta_steps=2", "default_hooks.logger.interval=1",
)  # fmt: skip
OWN = """
_base_ = "metaloss::tdfusion/segformer_synthetic.py"
custom_imports = dict(imports=["metaloss.engine", "own"])
"""
DYING = OWN + "custom_hooks = [dict(type='metaloss.DyingHook')]"
BROKEN = OWN + "train_dataloader = dict(dataset=dict(_delete_=True, type='metaloss.BrokenScenes'))"
MODULE = """
import atexit, os, signal
from pathlib import Path
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from metaloss.data import SyntheticScenes
from metaloss.engine.registry import DATASETS, HOOKS
from metaloss.errors import DataError

@HOOKS.register_module()
class DyingHook(Hook):
    def after_train_iter(self, runner, batch_idx, **_):
        if (runner.epoch, batch_idx, get_rank()) == (1, 0, 1):  # in the middle of the next step
            runner.model.module.loss.register_forward_pre_hook(lambda *_: os.kill(os.getpid(), signal.SIGKILL))

def say_threads():
    names = [thread.joinpath("comm").read_text().strip() for thread in Path("/proc/self/task").glob("*")]
    Path(f"threads_{os.environ['RANK']}.txt").write_text(" ".join(names))

atexit.register(say_threads)

@DATASETS.register_module()
def BrokenScenes():
    if get_rank() == 1:
        raise DataError("scene 7 is broken")
    return SyntheticScenes(4)
"""


def launched(folder, config, *options, settings=SETTINGS, launcher="pytorch"):
    """Runs `metaloss train` in two processes."""
    command = [Path(sys.executable).with_name("torchrun"), "--standalone", "--nproc-per-node", "2", "-m", "metaloss"]
    command += ["train", config, "--work-dir", folder / "work", "--launcher", launcher, *options]
    command += [word for setting in settings for word in ("--cfg-options", setting)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(folder)}
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder, timeout=120)


@pytest.fixture(scope="module")
def died(tmp_path_factory):
    """A training of which process 1 was killed in the second epoch, in the middle of a meta step."""
    folder = tmp_path_factory.mktemp("launched")
    (folder / "own.py").write_text(MODULE)
    (folder / "config.py").write_text(DYING)
    return folder, launched(folder, folder / "config.py")


@pytest.fixture(scope="module")
def finished(died):
    """That training resumed, to its end."""
    folder, _ = died
    (folder / "config.py").write_text(OWN)
    done = launched(folder, folder / "config.py", "--resume")
    assert done.returncode == 0, done.stderr
    return folder / "work", done


@slow
def test_a_process_that_dies_ends_the_run_with_an_error(died):
    folder, done = died  # and not with TimeoutExpired
    assert done.returncode != 0
    assert f"exitcode  : {-signal.SIGKILL}" in done.stderr
    assert "Epoch(train) [1]" in done.stdout
    assert "Epoch(train) [2][1/4]" in done.stdout
    assert "Epoch(train) [2][2/4]" not in done.stdout
    assert [path.name for path in (folder / "work").glob("*.pth")] == ["epoch_1.pth"]


@slow
def test_one_process_logs_and_saves(finished):
    work_dir, done = finished
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    # six scenes in batches of two for each of two processes: two fusion steps beside the two meta steps
    for step in range(1, 5):
        assert len([line for line in lines if f"Epoch(train) [2][{step}/4]" in line]) == 1
    for once in ("  mIoU: ", "fused images and weight maps:", "mean weight of ir"):
        assert len([line for line in lines if once in line]) == 1
    assert {path.name for path in work_dir.glob("*.pth")} == {"epoch_1.pth", "epoch_2.pth"}
    assert not list(work_dir.glob(".*"))
    assert len(list(work_dir.glob("*/*.log"))) == 2  # one of each start
    assert not (work_dir.parent / ".dist_test").exists()
    assert files.load(work_dir / "epoch_2.pth")["meta"]["iter"] == 8


@slow
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="the threads of a process are read from /proc")
def test_no_thread_of_the_process_group_outlives_the_training(finished):
    work_dir, _ = finished  # one that held a Python tensor would abort the process when Python ends
    for number in range(2):
        names = (work_dir.parent / f"threads_{number}.txt").read_text().split()
        assert names
        assert not [name for name in names if "gloo" in name]


@slow
def test_validation_is_that_of_one_process(finished, tmp_path):
    work_dir, _ = finished
    [*_, newest] = sorted(work_dir.glob("*/vis_data/scalars.json"))
    logged = json.loads(newest.read_text().splitlines()[-1])
    options = {name: eval(value) for name, value in (setting.split("=") for setting in SETTINGS)}
    config = load_config(CONFIG, {**options, "custom_hooks": []})
    config.load_from, config.work_dir = str(work_dir / "epoch_2.pth"), str(tmp_path)
    alone = build_runner(config).val()
    assert {"mIoU", "task_loss", "weight_0", "entropy", "fusion/EN", "fusion/VIF"} < alone.keys()
    assert {name: logged[name] for name in alone} == pytest.approx(alone, rel=1e-5)


@slow
def test_a_mistake_that_one_process_finds_is_said_once(tmp_path):
    (tmp_path / "own.py").write_text(MODULE)
    (tmp_path / "config.py").write_text(BROKEN)
    done = launched(tmp_path, tmp_path / "config.py", settings=())
    assert done.returncode != 0
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert lines == ["error: process 1: scene 7 is broken"]
    assert "Traceback" not in done.stderr.partition("torch/distributed/elastic")[0]
    assert done.stderr.count("exitcode  : ") == 2
    assert not (tmp_path / "work").exists()


VARIABLES = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


@pytest.mark.parametrize(
    ("launcher", "given", "words"),
    [
        ("torch", {}, "--launcher torch: choose one of none, pytorch, slurm, mpi"),
        ("pytorch", {}, f"{', '.join(VARIABLES)} not set in the environment: start the processes with `{COMMAND}`"),
        ("pytorch", {"RANK": "0", "WORLD_SIZE": "2"}, "--launcher pytorch: LOCAL_RANK, MASTER_ADDR, MASTER_PORT not"),
        ("slurm", {}, "SLURM_PROCID, SLURM_NTASKS, SLURM_NODELIST not set in the environment: start them with slurm"),
        ("none", {"TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "2"}, "in the same folder: add --launcher pytorch"),
    ],
)
def test_a_process_that_its_launcher_did_not_start(monkeypatch, capsys, tmp_path, launcher, given, words):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as stopped:
        main(["train", CONFIG, "--work-dir", str(tmp_path / "work"), "--launcher", launcher])
    assert stopped.value.code == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert words in line


@pytest.mark.parametrize(("launcher", "backend"), [("pytorch", "nccl"), ("slurm", None)])
@pytest.mark.skipif(torch.cuda.is_available(), reason="there are CUDA devices")
def test_what_needs_cuda_devices(monkeypatch, launcher, backend):
    for name in (*VARIABLES, "SLURM_PROCID", "SLURM_NTASKS", "SLURM_NODELIST", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(name, "1")
    with pytest.raises(ConfigError, match="needs CUDA devices, and there are none: on CPUs gloo runs"):
        launch(launcher, {"dist_cfg": {"backend": backend}})
