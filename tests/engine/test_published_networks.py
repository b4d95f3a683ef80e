"""Published networks in configs, and what of them a checkpoint may ask for."""

import pytest
import torch
from torch import nn
from weight_files import write as write_weights

from metaloss.cli.main import main
from metaloss.engine import build_network, load_config, parse_options
from metaloss.engine.build import build_model
from metaloss.engine.registry import MODELS
from metaloss.errors import CheckpointError, ConfigError
from metaloss.plugins import build_fusion

CONFIG = """
_base_ = "metaloss::tdfusion/segformer_synthetic.py"
model = dict(fusion=dict(_delete_=True, type="metaloss.FusionNetwork", name="datfuse", weights={weights!r}))
"""


@pytest.fixture
def weights(tmp_path):
    network = build_fusion("datfuse")
    (path,) = write_weights(tmp_path / "weights", "datfuse", network.state_dict())
    return path, network


def same(first, second):
    first, second = first.state_dict(), second.state_dict()
    return first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)


def test_a_config_begins_with_published_weights(write, weights):
    path, network = weights
    model = build_model(load_config(write("mine.py", CONFIG.format(weights=str(path)))))
    assert same(model.fusion, network)
    assert model.fusion.metaloss_record == {"name": "datfuse", "arguments": {}}


def test_weights_by_option(weights):
    path, network = weights
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


def test_a_checkpoint_opens_no_file(weights):
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


FINETUNE = "recommended/finetune"


def test_finetune_is_the_recommended_training_of_another_network(weights):
    path, network = weights
    config = load_config(FINETUNE, parse_options(["network=datfuse", f"weights={path}", "fusion_lr=2e-5", "lr=1e-3"]))
    assert same(MODELS.build(config.model.fusion), network)
    rates = {part: config.optim_wrapper[part].optimizer.lr for part in ("fusion", "task", "loss")}
    assert rates == {"fusion": 2e-5, "task": 1e-3, "loss": 1e-3}
    config, recommended = load_config(FINETUNE).to_dict(), load_config("recommended/yolov8_msrs").to_dict()
    config["model"]["fusion"] = recommended["model"]["fusion"]
    config["optim_wrapper"] = recommended["optim_wrapper"]
    assert config["train_cfg"].pop("exchange") is False
    acting = {key for key in recommended if key not in ("settings", "filename") and config[key] != recommended[key]}
    assert not acting


@pytest.mark.parametrize(
    ("options", "missing"),
    [
        ({}, "network=NAME and weights=FILE"),
        ({"network": "datfuse"}, "weights=FILE"),
        ({"network": "datfuse", "weights": []}, "weights=FILE"),
        ({"weights": "there.pth"}, "network=NAME"),
    ],
)
def test_finetune_without_a_network_or_its_weights(options, missing):
    config = load_config(FINETUNE, options)
    with pytest.raises(ConfigError, match=rf"goes on from published weights: give {missing} \(weights=\[FILE,FILE\]"):
        MODELS.build(config.model.fusion)


def test_finetune_from_a_file_in_parts(tmp_path):
    network = build_fusion("didfuse")
    parts = write_weights(tmp_path, "didfuse", network.state_dict())
    given = parse_options(["network=didfuse", f"weights=[{','.join(map(str, parts))}]"])
    assert same(MODELS.build(load_config(FINETUNE, given).model.fusion), network)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning", "ignore::ImportWarning:mmcv")
@pytest.mark.filterwarnings("ignore:.*no box in the labels of")
def test_finetune_takes_a_step_of_each_phase(weights, published, capsys):
    pytest.importorskip("metaloss_ultralytics.framework")
    path, _ = weights
    options = [
        f"data_root={published('msrs')}",
        "network=datfuse",
        f"weights={path}",
        "crop_size=16",
        "task_size=(64,64)",
    ]
    options += ["train_split=train[::20]", "val_split=test[::8]"]
    with pytest.raises(SystemExit) as stopped:
        main(["train", FINETUNE, "--dry-run", "--cfg-options", *options])
    written = capsys.readouterr()
    assert stopped.value.code == 0, written.err
    assert "fusion network DATFuse with 10,760" in written.out
    assert "meta step on 2 scenes" in written.out
