import pickle

import pytest
import torch
from torch import nn
from toys import PlainNet

import metaloss
from metaloss.inference import pretrained
from metaloss.plugins import build_fusion


@pytest.fixture
def told(command):
    """The lines of `metaloss info`, by their label."""

    def run(file):
        done = command("info", file)
        assert (done.status, done.err) == (0, "")
        first, *rows = done.out.splitlines()
        return first, dict(row.split(maxsplit=1) for row in rows if row.strip())

    return run


def learner(network):
    task = metaloss.ModuleTask(nn.Conv2d(1, 1, 1), nn.functional.mse_loss)
    return metaloss.MetaLearner(fusion=network, loss=metaloss.LearnableFusionLoss(), task=task)


def test_a_checkpoint_of_a_network_with_a_name(command, tmp_path):
    item = {"sources": (torch.rand(1, 16, 16), torch.rand(1, 16, 16)), "target": torch.rand(1, 16, 16)}
    learner(metaloss.networks.ReFusionNet()).fit([item, item], epochs=1, meta_steps=0, work_dir=tmp_path)
    file = tmp_path / "epoch_1.pth"
    out = command("info", file).out
    assert out.startswith(f"{file}: a checkpoint of metaloss\n")
    assert "refusion(sources=2); 59,856 numbers in 86 tensors (float32)" in out
    for label, value in (("epoch", "1"), ("data", "items=2"), ("versions", "python=")):
        assert any(line.split()[:1] == [label] and value in line for line in out.splitlines()), label
    assert "hypergradient=auto" in out
    assert f"metaloss fuse IR VI --weights {file} --out fused" in out
    assert f"metaloss weights IR VI --weights {file} --out maps" in out


def test_a_checkpoint_of_a_network_of_a_script(command, tmp_path):
    learner(PlainNet()).save(tmp_path / "a b.pth")
    out = command("info", tmp_path / "a b.pth").out
    assert "toys:PlainNet, which no name stands for; 117 numbers in 6 tensors" in out
    assert f"--weights '{tmp_path / 'a b.pth'}' --network FILE.py:FUNCTION" in out
    assert f"metaloss.load({str(tmp_path / 'a b.pth')!r}, fusion=network)" in out


def test_published_and_unknown_files(told, tmp_path):
    torch.save(build_fusion("seafusion").state_dict(), tmp_path / "sea.pth")
    first, rows = told(tmp_path / "sea.pth")
    assert first.endswith("sea.pth: the published weights of 'seafusion'")
    assert rows["use"] == f"metaloss fuse IR VI --weights {tmp_path / 'sea.pth'} --out fused"
    assert "Tang" in rows["paper"]
    torch.save({"model": nn.Linear(3, 2).state_dict(), "epoch": 4}, tmp_path / "x.pth")
    first, rows = told(tmp_path / "x.pth")
    assert first.endswith("a state dict of no network that is known here")
    assert rows["tensors"] == "8 numbers in 2 tensors (float32)"
    assert rows["first"] == "model.weight, model.bias"
    torch.save({"lr": 3}, tmp_path / "y.pth")
    assert told(tmp_path / "y.pth")[0].endswith("a file of plain values, without weights")


def test_what_is_said_of_use_in_python_can_be_run(command, weights, tmp_path):
    images = torch.rand(2, 1, 9, 12)
    weights = weights.rename(tmp_path / "it's a b.pth")
    for given in (weights, "ivif"):
        code = command("info", given).out.partition("in Python")[2].partition("\n")[0].strip()
        fused = eval(code, {"metaloss": metaloss, "ir": images[0], "vi": images[1]})
        assert fused.shape == (1, 9, 12)


def test_those_that_come_with_it(command, refused, monkeypatch, weights, tmp_path):
    monkeypatch.setattr(pretrained, "FOLDER", tmp_path)
    weights.rename(tmp_path / "ivif.pth")
    (tmp_path / "ivif.md").write_text("# A card\n")
    out = command("info", "ivif").out
    assert "metaloss fuse IR VI --weights ivif --out fused" in out
    assert out.endswith("# A card\n")
    assert refused("info", tmp_path / "absent.pth").endswith("absent.pth: no such file; give a file of weights (.pth)")
    assert "did you mean 'ivif'" in refused("info", "ivf")
    assert "is a folder" in refused("info", tmp_path)


class Code:
    def __reduce__(self):
        return (print, ("this ran",))


def bomb():
    value = ["x"]
    for _ in range(60):
        value = [value, value]
    return value


def test_damaged_and_hostile_files(command, refused, capsys, weights, tmp_path):
    whole = weights.read_bytes()
    (tmp_path / "cut.pth").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.pth").write_text("hello")
    (tmp_path / "empty.pth").write_bytes(b"")
    (tmp_path / "code.pth").write_bytes(pickle.dumps({"a": Code()}))
    torch.save({"state_dict": Code()}, tmp_path / "torch_code.pth")
    torch.save([1], tmp_path / "list.pth")
    for name in ("cut", "text", "empty", "code", "torch_code", "list"):
        message = refused("info", tmp_path / f"{name}.pth")
        assert str(tmp_path / f"{name}.pth") in message
        assert "this ran" not in message + capsys.readouterr().out
    itself: list = []
    itself.append(itself)
    settings = {"a": bomb(), "b": itself, "c": 10**100, "\x1b[2J\n": "\x1b]0;title\x07", "d": torch.zeros(3, 4)}
    settings |= {f"name {number}": "x" * 10_000 for number in range(1000)}
    spec = {"name": "refusion\x1b[31m", "arguments": {"sources": bomb()}}
    torch.save(
        {"fusion": {"a": torch.zeros(2)}, "metaloss": {"fusion": spec, "settings": settings}}, tmp_path / "x.pth"
    )
    done = command("info", tmp_path / "x.pth")
    assert done.status in (0, 2)
    assert len(done.out) < 20_000
    assert all(letter.isprintable() or letter == "\n" for letter in done.out + done.err)
    assert "and 96" in done.out
