"""How far the weights lie apart, against NumPy on the pixels themselves."""

import numpy as np
import pytest
import torch

from metaloss.evaluation.regions import weights_by_region
from metaloss.evaluation.spread import add_moments, deviations
from metaloss.training.epoch import Means

CLASSES = ("soil", "person", "car")


def batch(seed, size):
    generator = torch.Generator().manual_seed(seed)
    weights = torch.rand((2, 2, *size), generator=generator).softmax(1)
    return weights, torch.randint(0, 4, (2, *size), generator=generator)  # the fourth class has no name


def test_it_is_the_standard_deviation_over_all_pixels_of_all_batches():
    batches = [batch(0, (9, 12)), batch(1, (5, 7))]
    means = Means()
    for weights, ids in batches:
        add_moments(means, weights, ids, ("ir", "vi"), CLASSES)
    found = deviations(means.read())
    for k, source in enumerate(("ir", "vi")):
        values = np.concatenate([weights[:, k].double().numpy().ravel() for weights, _ in batches])
        assert found[f"spread/{source}"] == pytest.approx(values.std(), rel=1e-12)
        on = np.concatenate([weights[:, k].double().numpy()[(ids == 1).numpy()] for weights, ids in batches])
        assert found[f"spread/{source}/on/person"] == pytest.approx(on.std(), rel=1e-12)
        off = np.concatenate([weights[:, k].double().numpy()[(ids != 1).numpy()] for weights, ids in batches])
        assert found[f"spread/{source}/off/person"] == pytest.approx(off.std(), rel=1e-12)
    regions = {name for name, _, _ in weights_by_region(*batches[0], ("ir", "vi"), CLASSES)}
    assert {name.replace("weight/", "spread/") for name in regions} | {"spread/ir", "spread/vi"} == found.keys()


def test_equal_weights_have_no_spread_and_hard_ones_the_largest():
    means = Means()
    add_moments(means, torch.full((1, 3, 4, 4), 1 / 3), None, ("a", "b", "c/d"))
    assert deviations(means.read()) == {f"spread/{name}": pytest.approx(0, abs=1e-9) for name in ("a", "b", "c_d")}
    hard = torch.zeros(1, 2, 2, 2)
    hard[:, 0, 0], hard[:, 1, 1] = 1, 1
    means = Means()
    add_moments(means, hard, None, ("a", "b"))
    assert deviations(means.read()) == {"spread/a": 0.5, "spread/b": 0.5}


def test_nothing_was_seen():
    assert deviations(Means().read()) == {}
