import pickle

import numpy as np
import pytest
import torch
from PIL import Image

import metaloss
from metaloss.colour import luma
from metaloss.networks import load_official
from metaloss.plugins import load_fusion

PAIRS = {
    "IVIF": ("infrared", "visible", "IVIF_00710N.npy"),
    "MIF": ("CT_PET_SPECT", "MRI", "MIF_MRI_PET_14.npy"),
}


def grey(path):
    pixels = torch.from_numpy(np.array(Image.open(path).convert("RGB"))).permute(2, 0, 1) / 255
    return luma(pixels)[None]


@pytest.mark.slow
@pytest.mark.parametrize("name", PAIRS)
def test_published_weights_give_the_published_images(real_data, name):
    folder = real_data("refusion_official")
    first, second, expected = PAIRS[name]
    network = load_official(folder / f"ReFusion_{name}.pth")
    assert not network.training
    paths = [next((folder / name / source).iterdir()) for source in (first, second)]
    with torch.no_grad():
        fused = network(*map(grey, paths))[0, 0].numpy()
    published = np.load(folder / "expected" / expected)
    assert fused.shape == published.shape
    assert np.abs(fused - published).max() < 1e-4


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod."])
def test_weights_saved_from_a_wrapped_network(prefix, tmp_path, real_data):
    official = real_data("refusion_official") / "ReFusion_IVIF.pth"
    content = torch.load(official, map_location="cpu", weights_only=True)
    torch.save({prefix + name: value for name, value in content.items()}, tmp_path / "wrapped.pth")
    expected = load_official(official).state_dict()
    for load in (load_official, load_fusion):
        found = load(tmp_path / "wrapped.pth").state_dict()
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[name], expected[name]) for name in found)


class Code:
    def __reduce__(self):
        return (print, ("this ran",))


def test_files_that_are_not_weights(tmp_path, capsys, real_data):
    official = real_data("refusion_official") / "ReFusion_IVIF.pth"
    content = torch.load(official, map_location="cpu", weights_only=True)
    whole = official.read_bytes()
    (tmp_path / "truncated.pth").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "noise.pth").write_bytes(bytes(range(256)) * 20)
    (tmp_path / "empty.pth").write_bytes(b"")
    (tmp_path / "code.pth").write_bytes(pickle.dumps({"FM.temperature1": Code()}))
    torch.save({"code": Code()}, tmp_path / "torch_code.pth")
    torch.save(torch.nn.Linear(2, 2).state_dict(), tmp_path / "other.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    torch.save({"FM.temperature1": "hot", "project_in_1.weight": 3}, tmp_path / "no_tensors.pth")
    torch.save({**content, "project_in_1.conv.weight": content["project_in_1.weight"] + 1}, tmp_path / "copies.pth")
    torch.save({**content, "extra.weight": torch.ones(1)}, tmp_path / "extra.pth")
    torch.save({**content, "FM.temperature1": torch.ones(2, 1, 1)}, tmp_path / "shape.pth")
    names = [path.name for path in tmp_path.iterdir()]
    assert len(names) == 11
    for name in [*names, "absent.pth", "."]:
        with pytest.raises(metaloss.CheckpointError) as caught:
            load_official(tmp_path / name)
        assert "\n" not in str(caught.value)
        assert str(tmp_path / name) in str(caught.value)
    assert "this ran" not in capsys.readouterr().out
