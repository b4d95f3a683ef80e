import json

import pytest
import torch

import metaloss
from metaloss.inference import pretrained
from metaloss.runtime import files


@pytest.fixture
def small(tmp_path):
    """A checkpoint of the smallest network that is built by name, and knows its sources' names."""
    network = metaloss.build_fusion("seafusion")
    path = tmp_path / "small.pth"
    ours = {"fusion": {"name": "seafusion", "arguments": {}}, "data": {"sources": ["ir", "vi"]}}
    files.save(path, {"fusion": network.state_dict(), "metaloss": ours})
    return path, network.eval()


@pytest.mark.slow
def test_a_checkpoint_becomes_a_program(command, small, tmp_path):
    path, network = small
    done = command("export", "--weights", path, "--out", tmp_path / "out" / "fusion.pt2")
    assert (done.status, done.err) == (0, "")
    assert "inputs ir, vi (batch, 1, height, width), any height and width; differs by" in done.out
    about = {"metaloss.json": ""}
    program = torch.export.load(tmp_path / "out" / "fusion.pt2", extra_files=about).module()
    sources = torch.rand(2, 2, 1, 33, 41)
    with torch.no_grad():
        torch.testing.assert_close(program(*sources), network(*sources))
    assert json.loads(json.loads(about["metaloss.json"])["sources"]) == ["ir", "vi"]


def test_a_checkpoint_becomes_weights_alone(command, refused, small, tmp_path):
    path, network = small
    content = {**files.load(path), "task": {"weight": torch.zeros(100_000)}}
    content["metaloss"]["data"]["range"] = ["7000,9000", "full"]
    files.save(path, content)
    alone = tmp_path / "alone.pth"
    done = command("export", "--weights", path, "--out", alone)
    assert (done.status, done.err) == (0, "")
    assert "alone.pth: 0.7 MB, inputs ir, vi (batch, 1, height, width), any height and width; differs by 0 " in done.out
    assert files.load(alone).keys() == {"fusion", "metaloss"}
    loaded = metaloss.load(alone)
    sources = torch.rand(2, 2, 1, 33, 41)
    with torch.no_grad():
        torch.testing.assert_close(loaded(*sources), network(*sources), rtol=0, atol=0)
    assert [str(each) for each in loaded.metaloss_range.ranges] == ["7000,9000", "full"]
    wrong = ("export", "--weights", path, "--out", tmp_path / "b.pth", "--size", "48x64")
    assert "b.pth holds weights, which are of no size; leave it out" in refused(*wrong)


def test_weights_alone_of_a_network_that_has_no_name(tmp_path):
    network = metaloss.Concatenated(torch.nn.Conv2d(2, 1, 3, padding=1))
    metaloss.export(network, tmp_path / "own.pth", sources=("ir", "vi"))
    other = metaloss.Concatenated(torch.nn.Conv2d(2, 1, 3, padding=1))
    metaloss.load(tmp_path / "own.pth", fusion=other)
    torch.testing.assert_close(other.state_dict(), network.state_dict(), rtol=0, atol=0)


def test_what_is_missing_or_wrong_is_said_before_anything_is_built(refused, weights, tmp_path, monkeypatch):
    out = tmp_path / "x.pt2"
    monkeypatch.setattr(pretrained, "FOLDER", tmp_path)
    assert refused("export", "--out", out).startswith("--weights is missing: give a checkpoint")
    assert (
        refused("export", "--weights", tmp_path / "no.pth", "--out", out)
        == f"--weights {tmp_path}/no.pth: no such file"
    )
    assert refused("export", "--weights", weights).startswith(
        "--out is missing: give a file whose name ends in .onnx, .pt2 or .pth"
    )
    assert "expected a file whose name ends in .onnx, .pt2 or .pth" in refused(
        "export", "--weights", weights, "--out", "x.pt"
    )
    given = ("export", "--weights", weights, "--out", out)
    assert refused(*given, "--size", "480").startswith("--size 480: expected HEIGHTxWIDTH in pixels, as in 480x640")
    assert "was built for 2 sources" in refused(*given, "--sources", "a,b,c")
    assert "did you mean 'seafusion'" in refused(*given, "--network", "seafuson")
    assert not out.exists()
