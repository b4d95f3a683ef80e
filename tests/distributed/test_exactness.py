"""Two processes on half the batch each do what one process does on the whole batch."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

RUNS = Path(__file__).with_name("runs.py")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """What one process, and each of two, ended with: run by run, tensors by name."""
    folder = tmp_path_factory.mktemp("runs")
    torchrun = [Path(sys.executable).with_name("torchrun"), "--standalone", "--nproc-per-node", "2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    for start in ([sys.executable], torchrun):
        done = subprocess.run([*start, RUNS, folder], capture_output=True, text=True, env=environment, timeout=300)
        assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (folder / "of_2" / "fitted").iterdir()) == ["epoch_1.pth", "epoch_2.pth"]
    return [torch.load(folder / name) for name in ("1_0.pt", "2_0.pt", "2_1.pt")]


def relative(given, expected):
    """The largest |a - b| / |b| of all tensors; infinite where names or places of NaN differ."""
    if given.keys() != expected.keys():
        return float("inf")
    return max(difference(given[name].double(), expected[name].double()) for name in expected)


def difference(a, b):
    if not torch.equal(a.isnan(), b.isnan()):
        return float("inf")
    return float((a - b).nan_to_num().norm() / b.nan_to_num().norm().clamp_min(1e-300))


def groups(runs, word):
    chosen = {name: values for name, values in runs.items() if word in name}
    assert chosen, word
    return chosen


@pytest.mark.parametrize("method", ["forward", "reverse", "finite_difference", "image", "image lr"])
def test_the_meta_gradient_is_that_of_the_whole_batch(ended, method):
    whole, first, _ = ended
    errors = {name: relative(first[name], whole[name]) for name in groups(whole, f"{method}, ")}
    assert len(errors) == 9
    assert max(errors.values()) < 1e-6, errors


def test_the_papers_networks(ended):
    whole, first, _ = ended
    assert relative(first["reference networks"], whole["reference networks"]) < 1e-6


def test_five_meta_and_five_fusion_steps(ended):
    whole, first, _ = ended
    errors = {name: relative(first[name], whole[name]) for name in groups(whole, "trained")}
    assert len(errors) == 8  # by each method, and with each setting of the outer update
    assert max(errors.values()) < 1e-6, errors


def test_a_step_that_one_process_finds_not_finite_is_skipped_by_all(ended):
    for found in ended:
        assert found["trained, skip"]["skipped"] == 1
        assert found["trained, skip"]["outer_loss 2"].isnan()
        assert found["trained, skip"]["outer_loss 3"].isfinite()


def test_fit_with_crops_exchange_and_resume(ended):
    whole, first, _ = ended
    for name in ("fitted", "fitted, accumulate"):
        assert relative(first[name], whole[name]) < 1e-6


def test_processes_stay_alike_to_the_bit(ended):
    _, first, second = ended
    different = [name for name in first if relative(second[name], first[name]) != 0]
    assert different == []


def test_batch_statistics_are_averaged_and_not_those_of_the_whole_batch(ended):
    whole, first, second = ended
    name = "fusion.norm.running_var"
    assert torch.equal(first["with statistics"][name], second["with statistics"][name])
    assert relative(first["with statistics"], whole["with statistics"]) > 1e-3


def test_averages(ended):
    for found, mean in zip(ended, (0.0, 0.5, 0.5), strict=True):
        values = found["averages"]
        expected = {
            "averaged a": torch.full((2, 3), mean),
            "averaged b": torch.full((), 1 + mean).double(),
            "present both": torch.full((2,), mean),
            "present one": torch.full((2,), 1 - mean),  # the last process has ones, the other nothing
            "taken 0": torch.zeros(2, 3),
            "taken 1": torch.tensor([True]),
            "taken 2": torch.tensor(0),
            "running_mean": torch.full((2,), mean),
        }
        assert values.keys() == expected.keys()
        for name, value in expected.items():
            assert values[name].dtype == value.dtype
            assert torch.equal(values[name], value), name
