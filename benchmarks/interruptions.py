"""Ends trainings at random moments, resumes them, and looks whether they end bit for bit as one that was left alone.

    python -m benchmarks.interruptions fit kill --count 20
    python -m benchmarks.interruptions trainer term --count 10
    python -m benchmarks.interruptions processes kill --count 5

``fit`` is the library's training, ``trainer`` is ``metaloss train``, ``processes`` the same in two gloo processes. Half
of the kills (SIGKILL) come while a checkpoint is written; SIGTERM comes at any moment. Prints a table.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from metaloss.runtime import files
from metaloss.training import folder

EPOCHS = {"fit": 5, "trainer": 3, "processes": 2}
SIGNALS = {"kill": signal.SIGKILL, "term": signal.SIGTERM}
SETTINGS = (
    "train_scenes=8 val_scenes=2 image_size=(48,48) crop_size=32 task_size=(48,48) warmup_epochs=1 meta_steps=3 "
    "default_hooks.logger.interval=1"
)
NOT_COMPARED = ("meta", "message_hub")  # log texts and times


def command(kind: str, work_dir: Path) -> list[str]:
    """The command that trains, and goes on where it was stopped."""
    if kind == "fit":
        return [sys.executable, "-W", "ignore", "-m", "benchmarks.interruptions", "train", str(work_dir)]
    started = [sys.executable, "-m"]
    if kind == "processes":
        started = [str(Path(sys.executable).with_name("torchrun")), "--standalone", "--nproc-per-node", "2", "-m"]
    config = ["metaloss", "train", "tdfusion/segformer_synthetic", "--work-dir", str(work_dir), "--resume"]
    launcher = ["--launcher", "pytorch"] if kind == "processes" else []
    return [*started, *config, *launcher, "--cfg-options", *SETTINGS.split(), f"max_epochs={EPOCHS[kind]}"]


def train(work_dir: Path) -> None:
    """Trains networks with batch norm and dropout, crops, exchange, accumulation, a scheduler and data workers."""
    import metaloss
    from metaloss.data import SyntheticScenes

    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
    torch.set_num_threads(1)
    nn = torch.nn
    fusion = nn.Sequential(nn.Conv2d(2, 16, 3, padding=1), nn.BatchNorm2d(16), nn.SiLU(), nn.Dropout2d(0.2))
    fusion = metaloss.Concatenated(nn.Sequential(fusion, nn.Conv2d(16, 1, 3, padding=1), nn.Sigmoid()))
    task = nn.Sequential(
        nn.Conv2d(1, 64, 3, padding=1), nn.BatchNorm2d(64), nn.SiLU(), nn.Conv2d(64, 256, 3, padding=1)
    )
    task = nn.Sequential(task, nn.Dropout(0.2), nn.Conv2d(256, 4, 1))
    optimizer = torch.optim.Adam(fusion.parameters(), lr=1e-3)
    learner = metaloss.MetaLearner(
        fusion=fusion,
        loss=metaloss.LearnableFusionLoss(),
        task=metaloss.ModuleTask(task, nn.functional.cross_entropy),
        fusion_optimizer=optimizer,
        schedulers=[torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.7)],
        accumulate=2,
    )
    learner.fit(
        SyntheticScenes(8, size=(48, 64)),
        epochs=EPOCHS["fit"],
        meta_steps=3,
        warmup_epochs=1,
        fusion_crop=32,
        num_workers=1,
        work_dir=work_dir,
        resume=True,
    )


def start(kind: str, work_dir: Path) -> subprocess.Popen[bytes]:
    """Starts a training, in a group of processes of its own."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command(kind, work_dir),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=environment,
        start_new_session=True,
    )


def duration(kind: str, work_dir: Path) -> tuple[float, float]:
    """Trains to the end, and gives the seconds after its start at which it began to train, and at which it ended."""
    began, process = time.monotonic(), start(kind, work_dir)
    while process.poll() is None and not (work_dir.exists() and (kind == "fit" or any(work_dir.iterdir()))):
        time.sleep(0.01)
    training = time.monotonic() - began
    process.communicate()
    return training, time.monotonic() - began


def finish(kind: str, work_dir: Path) -> dict[str, Any]:
    """Trains to the end, if it is not there, and gives what the last checkpoint holds."""
    process = start(kind, work_dir)
    _, said = process.communicate()
    if process.returncode:
        raise SystemExit(f"the training ended with {process.returncode}: {said.decode()[-2000:]}")
    content = files.load(work_dir / f"epoch_{EPOCHS[kind]}.pth")
    return {name: part for name, part in content.items() if name not in NOT_COMPARED}


def interrupt(kind: str, work_dir: Path, number: int, moment: float, *, writing: bool) -> tuple[int, str]:
    """Starts a training and ends it.

    Args:
        kind: which training.
        work_dir: its folder.
        number: of the signal.
        moment: seconds after its start.
        writing: wait, from then on, until a checkpoint is half written.

    Returns:
        Its status, and what it said last.
    """
    process = start(kind, work_dir)
    began = time.monotonic()
    while process.poll() is None and time.monotonic() - began < moment:
        time.sleep(0.005)
    while writing and process.poll() is None and not list(work_dir.glob(".*.partial")):
        time.sleep(0.0002)
    if process.poll() is None:
        if number == signal.SIGKILL:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
    _, said = process.communicate()
    lines = [line for line in said.decode().splitlines() if line.strip()]
    return process.returncode, lines[-1] if lines else ""


def differences(first: Any, second: Any, place: str = "") -> Iterator[str]:
    """Gives the places where two contents are not the same, to the bit."""
    if isinstance(first, torch.Tensor):
        if not (isinstance(second, torch.Tensor) and first.dtype == second.dtype and torch.equal(first, second)):
            yield place
    elif isinstance(first, dict) and isinstance(second, dict) and first.keys() == second.keys():
        for key in first:
            yield from differences(first[key], second[key], f"{place}/{key}")
    elif isinstance(first, (list, tuple)) and isinstance(second, (list, tuple)) and len(first) == len(second):
        for index, pair in enumerate(zip(first, second, strict=True)):
            yield from differences(*pair, f"{place}/{index}")
    elif first != second:
        yield place


def study(kind: str, name: str, count: int, seed: int) -> int:
    """Runs the study, and prints its table.

    Returns:
        How many trainings did not end as the one that was left alone.
    """
    draw, failed = random.Random(seed), 0
    with tempfile.TemporaryDirectory() as place:
        first, last = duration(kind, Path(place, "whole"))
        whole = finish(kind, Path(place, "whole"))
        print(f"{kind}, {SIGNALS[name].name}: a whole run takes {last:.1f} s, and trains from {first:.1f} s on")
        columns = ("moment", "status", "newest file", "half written", "said", "ends as the whole run")
        print(f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|", flush=True)
        for run in range(count):
            work_dir = Path(place, str(run))
            moment = draw.uniform(first, last)
            writing = name == "kill" and run % 2 == 0
            status, said = interrupt(kind, work_dir, SIGNALS[name], moment * (0.9 if writing else 1), writing=writing)
            newest = folder.newest(work_dir)
            partial = len(list(work_dir.glob(".*.partial")))
            found = list(differences(whole, finish(kind, work_dir)))
            clean = not list(work_dir.glob(".*")) and not list(work_dir.glob("*_step_*"))
            failed += bool(found) or not clean
            verdict = "yes" if not found and clean else f"**no**: {', '.join(found[:3]) or 'files are left'}"
            name_of = newest.name if newest else "none"
            print(f"| {moment:.1f} s | {status} | {name_of} | {partial} | {said[:60]} | {verdict} |", flush=True)
    print(f"{count - failed} of {count} ended bit for bit as the whole run")
    return failed


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=[*EPOCHS, "train"])
    parser.add_argument("what", help="kill or term; for train: the folder")
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    if given.kind == "train":
        train(Path(given.what))
    else:
        raise SystemExit(bool(study(given.kind, given.what, given.count, given.seed)))


if __name__ == "__main__":
    main()
