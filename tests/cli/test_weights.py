"""``metaloss weights``: the loss generator's maps over the sources."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import metaloss
from metaloss.networks import LossGenerator
from metaloss.plugins import Record, plugin_manager


class Sure(nn.Module):
    """Gives the brighter source nearly all weight."""

    def __init__(self):
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(50.0))

    def forward(self, *sources):
        return (self.slope * torch.cat(sources, 1)).softmax(1)


class SurePlugin:
    @metaloss.hookimpl
    def metaloss_loss_generators(self):
        return [Record("sure", Sure)]


def fitted(folder, loss):
    """A checkpoint as the library's own training writes it."""
    item = {"sources": (torch.rand(1, 16, 16), torch.rand(1, 16, 16)), "target": torch.rand(1, 16, 16)}
    task = metaloss.ModuleTask(nn.Conv2d(1, 1, 1), nn.functional.mse_loss)
    learner = metaloss.MetaLearner(fusion=metaloss.networks.ReFusionNet(), loss=loss, task=task)
    learner.fit([item, item], epochs=1, meta_steps=0, work_dir=folder)
    return folder / "epoch_1.pth"


def grey(path):
    return np.asarray(Image.open(path)).astype(float) / 255


@pytest.mark.slow
def test_maps_of_two_generators_side_by_side(command, scenes, tmp_path) -> None:
    outputs = LossGenerator(outputs=("intensity", "gradient"))
    first = fitted(tmp_path / "a", metaloss.LearnableFusionLoss())
    second = fitted(tmp_path / "b", metaloss.LearnableFusionLoss(outputs, gradient="learned"))
    out = tmp_path / "maps"
    done = command(
        "weights", scenes / "ir", scenes / "vi", "--weights", f"seg={first}", "--weights", second, "--out", out
    )
    assert done.status == 0
    rows = [line.rsplit(maxsplit=2) for line in done.out.splitlines()[2:5]]
    assert [row[0] for row in rows] == ["seg", "epoch_1 intensity", "epoch_1 gradient"]
    assert all(float(ir) + float(vi) == pytest.approx(1, abs=2e-4) for _, ir, vi in rows)
    assert sorted(path.name for path in out.glob("*.png")) == [f"{number:02d}.png" for number in range(6)]
    one, other = (grey(out / "seg" / f"00_{name}.png") for name in ("ir", "vi"))
    assert one.shape == (32, 40)
    assert np.abs(one + other - 1).max() <= 1 / 255 + 1e-9
    picture = np.asarray(Image.open(out / "00.png").convert("RGB"))
    assert picture.std() > 10


def test_maps_show_what_the_generator_prefers(command, scenes, tmp_path) -> None:
    plugin = SurePlugin()
    plugin_manager().register(plugin)
    try:
        generator = Sure()
        generator.metaloss_record = {"name": "sure", "arguments": {}}
        path = fitted(tmp_path / "a", metaloss.LearnableFusionLoss(generator))
        sources = (scenes / "ir" / "*.png", scenes / "vi")
        assert command("weights", *sources, "--weights", f"sure={path}", "--out", tmp_path / "maps").status == 0
    finally:
        plugin_manager().unregister(plugin)
    ir, vi = (grey(scenes / name / "03.png") for name in ("ir", "vi"))
    clear = np.abs(ir - vi) > 0.2
    np.testing.assert_allclose(grey(tmp_path / "maps" / "sure" / "03_ir.png")[clear], (ir > vi)[clear], atol=0.01)


def test_mistakes(refused, scenes, tmp_path) -> None:
    ir, vi = scenes / "ir", scenes / "vi"
    uniform = fitted(tmp_path / "u", metaloss.LearnableFusionLoss(weights="uniform"))
    assert "at least two" in refused("weights", ir)
    assert "no such file or folder" in refused("weights", ir, tmp_path / "absent")
    assert refused("weights", ir, vi).startswith("--weights is missing")
    assert "no such file; give a check" in refused("weights", ir, vi, "--weights", tmp_path / "absent.pth")
    line = refused("weights", ir, vi, "--weights", "ivif")
    assert line.endswith("with a loss generator, and the weights that come with metaloss have none")
    assert refused("weights", ir, vi, "--weights", uniform).startswith("--out is missing")
    told = refused("weights", ir, vi, "--weights", uniform, "--out", tmp_path / "maps")
    assert "holds no loss generator" in told
    assert not (tmp_path / "maps").exists()


def test_three_sources_for_two(refused, scenes, tmp_path) -> None:
    path = fitted(tmp_path / "a", metaloss.LearnableFusionLoss())
    told = refused("weights", *(scenes / "ir",) * 3, "--weights", path, "--out", tmp_path / "maps")
    assert told == f"{path}: was trained on 2 sources, and 3 are given"


def test_a_published_file_has_no_generator(refused, real_data, scenes, tmp_path) -> None:
    path = real_data("refusion_official") / "ReFusion_IVIF.pth"
    told = refused("weights", scenes / "ir", scenes / "vi", "--weights", path, "--out", tmp_path / "maps")
    assert "is a published file of a fusion network alone" in told
