"""Fusion networks that nobody wrote for metaloss: wrapped as the example does it."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from toys import TinyTask, learner, problem, relative_error, scenes

from metaloss.hypergradient import forward, reverse
from metaloss.testing import check_fusion

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = ("densefuse", "unet", "two_branch")


@pytest.fixture
def example(monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    known = set(sys.modules)
    yield importlib.import_module("any_network")
    for name in {"any_network", *NAMES} & (set(sys.modules) - known):
        del sys.modules[name]


def build(example, name):
    if name == "two_branch":
        pytest.importorskip("timm")
    return example.NETWORKS[name]()


@pytest.mark.parametrize("name", NAMES)
def test_meta_gradients_are_exact(example, name):
    pair = scenes(1, size=(8, 12)), scenes(2, size=(8, 12))
    subject = problem(build(example, name), task=TinyTask(dropout=0.0))
    exact = reverse(subject, *pair).gradients
    assert relative_error(forward(subject, *pair).gradients, exact) < 1e-10


@pytest.mark.parametrize("name", NAMES)
def test_a_meta_step_and_a_fusion_step_move_the_weights(example, name):
    subject = learner(build(example, name), hypergradient="forward")
    batches = [scenes(seed, size=(8, 12), dtype=torch.float32) for seed in range(3)]
    before = {part: next(getattr(subject, part).parameters()).detach().clone() for part in ("fusion", "loss")}
    subject.meta_step(*batches[:2])
    subject.fusion_step(batches[2])
    for part, old in before.items():
        assert not torch.equal(next(getattr(subject, part).parameters()), old)
    assert subject.fuse(*(source[..., :7, :9] for source in batches[0].sources)).shape == (2, 1, 7, 9)


def test_fused_attention_needs_nothing_of_the_user(example):
    pytest.importorskip("timm")
    plain = build(example, "two_branch")
    plain.call = lambda net, ir, vi: net({"ir": ir, "vi": vi})["fused"]
    report = check_fusion(plain, *scenes(size=(8, 12), dtype=torch.float32).sources)
    assert report.points[-1].outcome == "passed"


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_script(name):
    if name == "two_branch":
        pytest.importorskip("timm")
    command = [sys.executable, "any_network.py", "--network", name, "--epochs", "2", "--scenes", "4", "--size", "32"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=EXAMPLES, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert "forward mode and double backward agree" in done.stdout
    assert "failed" not in done.stdout
    losses = [float(line.rsplit(" ", 1)[1]) for line in done.stdout.splitlines() if line.startswith("epoch")]
    assert len(losses) == 2
    assert losses[1] < losses[0]
