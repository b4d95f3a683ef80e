"""Signals end a run between two steps; it goes on from there, bit for bit."""

import os
import signal
import subprocess
import sys
import threading
from multiprocessing import get_context

import pytest
import torch
from toys import DropoutNet, Scenes, TinyTask, held, learner, same

import metaloss
from metaloss.runtime import files
from metaloss.runtime.interrupts import interrupts_blocked, terminable
from metaloss.runtime.signals import ENDING

SETTINGS = {"epochs": 3, "meta_steps": 3, "warmup_epochs": 1, "fusion_crop": 6, "num_workers": 0}
STEPS = 3 + 6 + 6  # of six scenes in batches of two


class Interrupted(metaloss.MetaLearner):
    """Gets signals within some of its steps."""

    at: tuple[int, ...] = ()
    number, taken = signal.SIGTERM, 0

    def step(self, phase, *batches):
        self.taken += 1
        for _ in range(self.at.count(self.taken)):
            os.kill(os.getpid(), self.number)
        return super().step(phase, *batches)


def fresh(at=(), number=signal.SIGTERM, seed=3):
    torch.manual_seed(seed)
    parts = learner(DropoutNet(), task=TinyTask())
    optimizer = torch.optim.Adam(parts.fusion.parameters(), lr=1e-2)
    rates = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    subject = Interrupted(
        fusion=parts.fusion,
        loss=parts.loss,
        task=parts.task,
        inner_lr=0.5,
        accumulate=2,
        fusion_optimizer=optimizer,
        schedulers=[rates],
    )
    subject.at, subject.number = at, number
    return subject


def state(subject):
    optimizers = [subject.optimizer(name) for name in ("fusion", "loss", "task")]
    return held(subject.fusion, subject.loss, subject.task, optimizers=optimizers)


@pytest.fixture(scope="module")
def whole():
    subject = fresh()
    return subject.fit(Scenes(6), **SETTINGS), state(subject)


@pytest.mark.parametrize("at", [1, 3, 5, 6, 7, 9, 10, STEPS])
def test_it_goes_on_from_the_step_after_which_it_was_stopped(tmp_path, capfd, whole, at):
    log, end = whole
    with pytest.raises(SystemExit) as caught:
        fresh((at,)).fit(Scenes(6), **SETTINGS, work_dir=tmp_path)
    assert caught.value.code == 143
    (path,) = [path for path in tmp_path.iterdir() if "_step_" in path.name]
    epoch, step = (1, at) if at <= 3 else divmod(at - 4, 6)
    epoch, step = (epoch, step) if at <= 3 else (epoch + 2, step + 1)
    assert path.name == f"epoch_{epoch}_step_{step}.pth"
    said = capfd.readouterr().err.splitlines()[-1]
    assert said == f"SIGTERM: stopped after epoch {epoch}, step {step}; saved {path}: resume=True goes on from there"
    again = fresh(seed=99)
    assert again.fit(Scenes(6), **SETTINGS, work_dir=tmp_path, resume=True) == log
    assert same(state(again), end)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["epoch_1.pth", "epoch_2.pth", "epoch_3.pth"]


def test_stopped_again_and_again(tmp_path, whole):
    log, end = whole
    for _ in range(STEPS):
        with pytest.raises(SystemExit):
            fresh((1,)).fit(Scenes(6), **SETTINGS, work_dir=tmp_path, resume=True)
    again = fresh()
    assert again.fit(Scenes(6), **SETTINGS, work_dir=tmp_path, resume=True) == log
    assert again.taken == 0
    assert same(state(again), end)


def test_only_whole_epochs_can_be_the_best(tmp_path):
    with pytest.raises(SystemExit):
        fresh((4,)).fit(Scenes(6), **SETTINGS, work_dir=tmp_path, save_best="task_loss")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "best_task_loss_epoch_1.pth", "epoch_1.pth", "epoch_2_step_1.pth"
    ]  # fmt: skip
    best = files.load(tmp_path / "best_task_loss_epoch_1.pth")["progress"]
    assert (best["epoch"], best["step"]) == (1, 0)


def test_a_signal_while_an_epoch_ends(tmp_path, whole):
    log, end = whole

    def callback(learner, log):
        if log["epoch"] == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(SystemExit) as caught:
        fresh().fit(Scenes(6), **SETTINGS, work_dir=tmp_path, callbacks=[callback])
    assert str(caught.value).startswith(f"SIGTERM: stopped after epoch 2; saved {tmp_path / 'epoch_2.pth'}")
    again = fresh()
    assert again.fit(Scenes(6), **SETTINGS, work_dir=tmp_path, resume=True) == log
    assert same(state(again), end)


def test_ctrl_c(tmp_path):
    with pytest.raises(SystemExit) as caught:
        fresh((2,), signal.SIGINT).fit(Scenes(6), **SETTINGS, work_dir=tmp_path)
    assert caught.value.code == 130
    assert [path.name for path in tmp_path.iterdir()] == ["epoch_1_step_2.pth"]
    with pytest.raises(KeyboardInterrupt):  # the second does not wait
        fresh((1, 1), signal.SIGINT).fit(Scenes(6), **SETTINGS, work_dir=tmp_path, resume=True)
    assert [path.name for path in tmp_path.iterdir()] == ["epoch_1_step_2.pth"]


def test_signals_are_ones_own_again_afterwards_and_without_a_folder(tmp_path):
    before = [signal.getsignal(number) for number in ENDING]
    seen = []

    def callback(learner, log):
        seen.append([signal.getsignal(number) for number in ENDING])

    fresh().fit(Scenes(4), epochs=1, meta_steps=0, callbacks=[callback])
    fresh().fit(Scenes(4), epochs=1, meta_steps=0, callbacks=[callback], work_dir=tmp_path)
    assert seen[0] == before
    assert seen[1] != before
    assert [signal.getsignal(number) for number in ENDING] == before


def test_in_a_thread_nobody_handles_signals(tmp_path):
    thread = threading.Thread(target=fresh().fit, args=(Scenes(4), 1, 0), kwargs={"work_dir": tmp_path})
    thread.start()
    thread.join()
    assert [path.name for path in tmp_path.iterdir()] == ["epoch_1.pth"]


def test_where_nothing_is_to_be_saved_sigterm_ends_the_block_with_one_line(capfd):
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as caught, terminable():
        os.kill(os.getpid(), signal.SIGTERM)
    assert caught.value.code == 143
    assert capfd.readouterr().err == "SIGTERM: stopped; what was saved is whole\n"
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # newer Pythons warn of a fork beside threads
def test_a_copy_of_the_process_ends_by_sigterm_without_a_word(capfd):
    with terminable():
        copy = get_context("fork").Process(target=signal.raise_signal, args=(signal.SIGTERM,))
        copy.start()
        copy.join(60)
    assert copy.exitcode == -signal.SIGTERM
    assert capfd.readouterr().err == ""


def test_ctrl_c_waits_for_the_end_of_a_block_and_its_processes_hear_of_none():
    raising = "import os, signal; os.kill(os.getpid(), signal.SIGINT); print('goes on')"
    ended = []

    def work():
        with interrupts_blocked():
            signal.raise_signal(signal.SIGINT)
            ended.append(subprocess.run([sys.executable, "-c", raising], check=False).returncode)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert ended == [0]
