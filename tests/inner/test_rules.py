import pytest
import torch

import metaloss
from metaloss.inner import RULES, build_rule, sgd

PARAMS, GRADS = {"a": torch.tensor([1.0, 2.0])}, {"a": torch.tensor([10.0, -10.0])}


def test_sgd_is_equation_4():
    updated, state = sgd(0.1)(PARAMS, GRADS, None)
    torch.testing.assert_close(updated["a"], torch.tensor([0.0, 3.0]))
    assert state is None
    assert PARAMS["a"].tolist() == [1, 2]


def test_rules_by_name_and_by_callable():
    for name in RULES:
        updated, _ = build_rule(name, 0.1)(PARAMS, GRADS, None)
        assert updated["a"][0] < 1 < 2 < updated["a"][1]

    def mine(params, grads, state):
        return params, state

    assert build_rule(mine, 0.1) is mine


def test_what_it_refuses():
    with pytest.raises(metaloss.ConfigError, match=r"inner_rule='sdg'.*did you mean 'sgd'"):
        build_rule("sdg", 0.1)
    for rate in (-1e-4, float("nan")):
        with pytest.raises(metaloss.ConfigError, match="zero or more"):
            build_rule("sgd", rate)
