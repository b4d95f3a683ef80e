"""The commands of the pages that need no training, run as they stand, on small files under the names that they give."""

import json
import shutil

import numpy as np
import pytest
import torch
from pages import commands
from PIL import Image
from torch import nn
from weight_files import write

import metaloss
from metaloss.cli.main import main
from metaloss.data import SyntheticScenes, write_scenes
from metaloss.plugins import build_fusion

PROGRAMS = ("fuse", "evaluate", "weights", "compare", "list", "data", "export", "config", "info")
TUTORIALS = "docs/tutorials/"  # run as a whole elsewhere
COMMANDS = [
    pytest.param(words[1:], id=f"{page}: {' '.join(words[1:])}"[:90])
    for page, words in commands()
    if words[0].endswith("metaloss") and words[1] in PROGRAMS and not page.startswith(TUTORIALS)
]
COLOURS = {"road": (128, 64, 128), "person": (220, 20, 60), "car": (0, 0, 142), "sky": (70, 130, 180)}


def images(folder, array, count=2):
    folder.mkdir(parents=True)
    for number in range(count):
        Image.fromarray(np.roll(array, number, axis=1)).save(folder / f"{number:04d}.png")


def checkpoint(path, sources):
    """A checkpoint of a training with as few steps as there can be."""
    items = [
        {"sources": tuple(torch.rand(sources, 1, 16, 16)), "target": torch.zeros(16, 16, dtype=torch.int64)}
        for _ in range(4)
    ]
    learner = metaloss.MetaLearner(
        fusion=metaloss.networks.ReFusionNet(sources),
        loss=metaloss.LearnableFusionLoss(metaloss.networks.LossGenerator(sources)),
        task=metaloss.ModuleTask(nn.Conv2d(1, 2, 3, padding=1), nn.functional.cross_entropy),
    )
    learner.fit(items, epochs=1, meta_steps=1, work_dir=path)
    return path / "epoch_1.pth"


def labels(root):
    """Labels in the forms that `data convert` reads."""
    stripes = np.arange(32 * 40).reshape(32, 40) // 10 % 4
    images(root / "data/city/label_rgb", np.array(list(COLOURS.values()), np.uint8)[stripes])
    (root / "colours.txt").write_text("".join(f"{r} {g} {b} {name}\n" for name, (r, g, b) in COLOURS.items()))
    images(root / "data/masks", np.where(stripes > 2, 255, 0).astype(np.uint8))
    (root / "IN").mkdir()
    (root / "IN/a.txt").write_text("0 0.1 0.1 0.5 0.1 0.5 0.6 0.1 0.6\n")
    kinds = [{"id": number, "name": name} for number, name in enumerate(("person", "car", "truck"), 1)]
    boxes = [{"id": each["id"], "image_id": 1, "category_id": each["id"], "bbox": [5, 5, 9, 9]} for each in kinds]
    scene = [{"id": 1, "file_name": "a.png", "width": 40, "height": 32}]
    (root / "data/coco.json").write_text(json.dumps({"images": scene, "annotations": boxes, "categories": kinds}))


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("root")
    fields, plants = root / "data/fields", root / "data/plants"
    write_scenes(fields, SyntheticScenes(6, size=(48, 64)))
    write_scenes(plants, SyntheticScenes(6, size=272))
    for old, new in (("ir", "nir"), ("vi", "red"), ("label", "masks")):
        (plants / old).rename(plants / new)
    for path in (plants / "masks").iterdir():
        Image.fromarray(np.minimum(np.asarray(Image.open(path)), 2)).save(path)
    (plants / "classes.txt").unlink()
    (plants / "lists").mkdir()
    (plants / "train.txt").rename(plants / "lists/train.txt")
    (plants / "test.txt").rename(plants / "lists/val.txt")
    for source, names in (("ir", ("IR_FOLDER", "ir", "data/ir")), ("vi", ("VI_FOLDER", "vi", "data/vi", "data/nir"))):
        for name in names:
            shutil.copytree(fields / source, root / name)
    for name in ("OTHER_FOLDER", "OURS", "OTHER", "fused"):
        shutil.copytree(fields / "ir", root / name)
    labels(root)
    two, three = checkpoint(root / "two", 2), checkpoint(root / "three", 3)
    for name in ("demo/epoch_10", "mine/epoch_50", "seg/epoch_50", "det/epoch_50", "three/epoch_50"):
        path = root / "work_dirs" / f"{name}.pth"
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(three if name.startswith("three") else two, path)
    shutil.copy(two, root / "WEIGHTS")
    shutil.copy(two, root / "mine.pth")
    (root / "my_networks.py").write_text(
        "import metaloss\n\n\ndef build():\n    return metaloss.networks.ReFusionNet()\n"
    )
    torch.save(build_fusion("seafusion").state_dict(), root / "SeAFusion.pth")
    torch.save(build_fusion("ifcnn").state_dict(), root / "IFCNN-SUM.pth")
    for path in write(root, "didfuse", build_fusion("didfuse").state_dict()):
        path.rename(root / f"{path.stem}_weight_IJCAI.pkl")
    return root


@pytest.mark.slow
@pytest.mark.parametrize("words", COMMANDS)
def test_a_command(root, words, monkeypatch, capsys):
    pytest.importorskip("mmseg")
    monkeypatch.chdir(root)
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    written = capsys.readouterr()
    doubts = words[:2] == ["data", "check"]  # of so few labels
    assert (ended.value.code or 0) in ((0, 1) if doubts else (0,)), written.err + written.out[-2000:]
    assert written.out
