import numpy as np
import pytest
import torch
from PIL import Image
from weight_files import write

from metaloss.plugins import build_fusion
from metaloss.runtime import files


@pytest.fixture
def pairs(scenes):
    return scenes / "ir", scenes / "vi"


def read(path):
    return np.asarray(Image.open(path), dtype=np.float64)


ANNOUNCED = {"u2fusion": "network: u2fusion:symmetric=False; --network takes it in another form\n"}
"""What is said of a network that has several forms."""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["seafusion", "didfuse", "u2fusion"])
def test_published_weights_by_name_and_by_content(name, command, pairs, tmp_path):
    network = build_fusion(name).eval()
    paths = write(tmp_path / "weights", name, network.state_dict())
    given = [part for path in paths for part in ("--weights", path)]
    for number, named in enumerate((["--network", name], [])):
        done = command("fuse", *pairs, *given, *named, "--out", tmp_path / str(number))
        assert (done.status, done.err) == (0, "")
        assert done.out == f"{ANNOUNCED.get(name, '')}6 fused images in {tmp_path / str(number)}/\n"
    sources = [torch.from_numpy(read(folder / "03.png")).float()[None, None] / 255 for folder in pairs]
    with torch.no_grad():
        expected = network(*sources)[0, 0].clamp(0, 1).numpy() * 255
    for number in (0, 1):
        assert np.abs(read(tmp_path / str(number) / "03.png") - expected).max() <= 0.51


def test_own_checkpoints_by_name(command, refused, pairs, weights, tmp_path):
    done = command("fuse", *pairs, "--network", "refusion", "--weights", weights, "--out", tmp_path / "out")
    assert (done.status, done.err) == (0, "")
    said = refused("fuse", *pairs, "--network", "ydtr", "--weights", weights, "--out", tmp_path / "out")
    assert said == f"{weights}: holds a network 'refusion' and not 'ydtr'"
    network = build_fusion("datfuse")
    files.save(tmp_path / "ours.pth", {"fusion": network.state_dict(), "metaloss": {"fusion": network.metaloss_record}})
    assert command("fuse", *pairs, "--weights", tmp_path / "ours.pth", "--out", tmp_path / "again").status == 0


def test_what_is_refused(refused, pairs, tmp_path):
    (path,) = write(tmp_path / "tardal", "tardal", build_fusion("tardal").state_dict())
    out = ("--out", tmp_path / "out")
    said = refused("fuse", *pairs, "--network", "seafusion", *out)
    assert said == (
        "--weights is missing: give a checkpoint, or what the authors have published "
        "(model/Fusion/fusionmodel_final.pth; https://github.com/Linfeng-Tang/SeAFusion)"
    )
    said = refused("fuse", *pairs, "--network", "seafuson", "--weights", path, *out)
    assert said.startswith("no fusion network 'seafuson' (did you mean 'seafusion'?)")
    said = refused("fuse", *pairs, "--network", "seafusion", "--weights", path, *out)
    assert said.endswith("they are the weights of 'tardal'")
    said = refused("fuse", *pairs, "--weights", path, "--weights", tmp_path / "absent.pth", *out)
    assert said == f"--weights {tmp_path / 'absent.pth'}: no such file"
    said = refused("fuse", *pairs, pairs[0], "--network", "tardal", "--weights", path, *out)
    assert said == f"{path}: was trained on 2 sources, and 3 are given (patterns are to be quoted)"
    assert not (tmp_path / "out").exists()
