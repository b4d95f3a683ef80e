"""A checkpoint is only data: whatever is in it, no command runs code for it."""

import sys

import pytest
import torch

from metaloss.runtime import files

pytest.importorskip("mmengine")


def config_of(part, imports=()):
    return {"config": part, "imports": list(imports)}


def specs(marker):
    """What a hostile file may name: each would leave the marker behind if it were run."""
    call = {"type": "os.system", "command": f"touch {marker}"}
    return {
        "a function": config_of(call),
        "another": config_of({"type": "subprocess.check_output", "args": ["touch", str(marker)]}),
        "nested": config_of({"type": "metaloss.Concatenated", "network": call}),
        "in a list": config_of({"type": "metaloss.Concatenated", "network": [call]}),
        "a class of torch's": config_of({"type": "torch.nn.Conv2d", "in_channels": 1}),
        "an import": config_of({"type": "metaloss.ReFusionNet"}, ["hostile_module"]),
        "a scope": config_of({"type": "ReFusionNet", "_scope_": "hostile_module"}),
        "a task": config_of(
            {"type": "metaloss.Task", "name": "mmseg", "config": "hostile_module.py", "num_classes": 2}
        ),
        "a class": config_of({"type": ["os.system"]}),
        "a name that is no text": {"name": {"type": "os.system"}, "arguments": {}},
        "a name of a module": {"name": "os.system", "arguments": {"command": f"touch {marker}"}},
        "arguments that are none": {"name": "refusion", "arguments": {"command": f"touch {marker}"}},
        "imports that are no list": {"config": {"type": "metaloss.ReFusionNet"}, "imports": "hostile_module"},
        "no config": {"config": "os.system", "imports": []},
        "nothing": {},
    }


NAMES = list(specs(""))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("part", ["fusion", "generator"])
def test_nothing_is_run(refused, scenes, tmp_path, monkeypatch, name, part):
    marker = tmp_path / "marker"
    (tmp_path / "hostile_module.py").write_text(f"open({str(marker)!r}, 'w').close()")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    content = {"fusion": {}, "loss": {"generator.x": torch.ones(1)}, "metaloss": {part: specs(marker)[name]}}
    files.save(tmp_path / "evil.pth", content)
    command = "fuse" if part == "fusion" else "weights"
    message = refused(
        command, scenes / "ir", scenes / "vi", "--weights", tmp_path / "evil.pth", "--out", tmp_path / "out"
    )
    assert "--debug" not in message
    assert not marker.exists()
    assert "hostile_module" not in sys.modules
    assert not (tmp_path / "out").exists()
