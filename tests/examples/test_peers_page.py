"""docs/peers.md: its tables, its refusal, its config and its plug-in."""

import re
import types
from pathlib import Path

import pytest
import torch

import metaloss
from metaloss.engine import build_model, load_config
from metaloss.engine.registry import MODELS
from metaloss.plugins import PublishedNetwork, load_fusion, plugin_manager, records

PAGE = (Path(__file__).parents[2] / "docs" / "peers.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
NETWORKS = {
    name: record
    for name, record in records("fusion_networks").items()
    if isinstance(record, PublishedNetwork) and name != "refusion"
}


def test_its_tables_are_those_of_the_records():
    rows = {row[0]: row for row in re.findall(r"^\| `(\w+)` \| (.*) \|$", PAGE, re.MULTILINE)}
    assert rows.keys() == NETWORKS.keys()
    for name, record in NETWORKS.items():
        assert f"| {record.parameters:,} |" in next(
            line for line in PAGE.splitlines() if line.startswith(f"| `{name}` |")
        )
        assert record.repository.partition(" ")[0] in PAGE
        for file in re.findall(r"[\w/-]+\.(?:pth|pkl|model)", record.weights):
            assert file.rpartition("/")[2] in PAGE


def test_its_refusal(tmp_path):
    path = tmp_path / "tardal.pt"
    torch.save(metaloss.build_fusion("tardal").state_dict(), path)
    with pytest.raises(metaloss.CheckpointError) as error:
        metaloss.build_fusion("seafusion", weights=path)
    assert f"error: {str(error.value).replace(str(path), 'tardal.pt')}\n" in PAGE


def test_its_configs(tmp_path, monkeypatch):
    named, going_on = [code for code in BLOCKS if code.startswith("_base_")]
    (tmp_path / "mine.py").write_text(named)
    assert type(build_model(load_config(str(tmp_path / "mine.py"))).fusion).__name__ == "SeAFusion"
    (tmp_path / "more.py").write_text(going_on)
    network = metaloss.build_fusion("ifcnn")
    torch.save(network.state_dict(), tmp_path / "IFCNN-MAX.pth")
    monkeypatch.chdir(tmp_path)
    config = load_config("more.py")
    assert torch.equal(MODELS.build(config.model.fusion).conv1.weight, network.conv1.weight)
    assert (config.model.inner_update, config.train_cfg.schedule) == ("image", "interleaved")


def test_its_plugin(tmp_path):
    (code,) = [code for code in BLOCKS if "hookimpl" in code]
    assert len([line for line in code.splitlines() if line.strip()]) <= 15
    module = types.ModuleType("metaloss_blend")
    exec(compile(code, "docs/peers.md", "exec"), module.__dict__)
    plugin_manager().register(module)
    try:
        network = metaloss.build_fusion("blend")
        torch.save({"state_dict": network.state_dict()}, tmp_path / "blend.pth")
        again = load_fusion(tmp_path / "blend.pth")
        sources = torch.rand(2, 1, 1, 9, 11)
        assert torch.equal(again(*sources), network(*sources))
        assert (
            sum(parameter.numel() for parameter in again.parameters()) == records("fusion_networks")["blend"].parameters
        )
    finally:
        plugin_manager().unregister(module)
