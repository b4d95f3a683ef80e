import numpy as np
import pytest
import torch

from metaloss import Fuser
from metaloss.errors import CheckpointError, ConfigError
from metaloss.inference import pretrained
from metaloss.networks import ReFusionNet
from metaloss.runtime import files


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """A folder of weights as the package has one, with one network in it."""
    monkeypatch.setattr(pretrained, "FOLDER", tmp_path / "weights")
    spec = {"fusion": {"name": "refusion", "arguments": {"sources": 2}}}
    files.save(tmp_path / "weights" / "ivif.pth", {"fusion": ReFusionNet().state_dict(), "metaloss": spec})
    (tmp_path / "weights" / "ivif.md").write_text("# Infrared and visible\n")
    return tmp_path / "weights"


def test_a_file_in_the_folder_is_all_that_is_needed(shipped):
    fuser = Fuser.pretrained(tile=64, device="cpu")
    image = np.zeros((16, 18), np.uint8)
    assert fuser(image, image).shape == (16, 18)
    assert pretrained.card_of(pretrained.shipped_file("ivif")) == shipped / "ivif.md"
    (shipped / "mif.pth").write_bytes((shipped / "ivif.pth").read_bytes())
    assert list(pretrained.shipped_weights()) == ["ivif", "mif"]
    assert pretrained.card_of(shipped / "mif.pth") is None
    known = r"no weights 'ivf' come with metaloss \(did you mean 'ivif'\?\); there are ivif, mif"
    with pytest.raises(ConfigError, match=known):
        Fuser.pretrained("ivf")


def test_a_folder_without_any(tmp_path, monkeypatch):
    monkeypatch.setattr(pretrained, "FOLDER", tmp_path)
    with pytest.raises(CheckpointError, match="no weights come with this installation of metaloss"):
        Fuser.pretrained()


@pytest.mark.parametrize("name", list(pretrained.shipped_weights()))
def test_what_is_shipped(name):
    """Every file has its card and fuses, whatever names there are."""
    card = pretrained.card_of(pretrained.shipped_file(name))
    assert card is not None
    assert card.read_text().startswith("# ")
    fused = Fuser.pretrained(name, device="cpu")(torch.rand(1, 24, 30), torch.rand(1, 24, 30))
    assert fused.std() > 0.01
