"""Published networks in configs, and what of them a checkpoint may ask for."""

import pytest
import torch
from torch import nn
from weight_files import write as write_weights

from metaloss.engine import build_network, load_config
from metaloss.engine.build import build_model
from metaloss.engine.registry import MODELS
from metaloss.errors import CheckpointError, ConfigError
from metaloss.plugins import build_fusion

CONFIG = """
_base_ = "metaloss::tdfusion/segformer_synthetic.py"
model = dict(fusion=dict(_delete_=True, type="metaloss.FusionNetwork", name="datfuse", weights={weights!r}))
"""


@pytest.fixture
def published(tmp_path):
    network = build_fusion("datfuse")
    (path,) = write_weights(tmp_path / "weights", "datfuse", network.state_dict())
    return path, network


def same(first, second):
    first, second = first.state_dict(), second.state_dict()
    return first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)


def test_a_config_begins_with_published_weights(write, published):
    path, network = published
    model = build_model(load_config(write("mine.py", CONFIG.format(weights=str(path)))))
    assert same(model.fusion, network)
    assert model.fusion.metaloss_record == {"name": "datfuse", "arguments": {}}


def test_weights_by_option(published):
    path, network = published
    for name in ("refusion", "datfuse"):
        options = {"model.fusion.name": name, "model.fusion.weights": str(path)}
        config = load_config("tdfusion/segformer_synthetic", options)
        if name == "datfuse":
            assert same(MODELS.build(config.model.fusion), network)
        else:
            with pytest.raises(CheckpointError, match="they are the weights of 'datfuse'"):
                MODELS.build(config.model.fusion)
    with pytest.raises(ConfigError, match=r"no 'wieghts' in model.fusion \(did you mean 'weights'\?\)"):
        load_config("tdfusion/segformer_synthetic", {"model.fusion.wieghts": str(path)})


def test_a_checkpoint_opens_no_file(published):
    @MODELS.register_module(name="Wrapped")
    class Wrapped(nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = MODELS.build(inner)

    try:
        inner = {"type": "metaloss.FusionNetwork", "name": "datfuse", "weights": "/absent/file.pth"}
        network = build_network({"type": "metaloss.Wrapped", "inner": inner})
        assert type(network.inner).__name__ == "DATFuse"
    finally:
        MODELS._module_dict.pop("Wrapped")
