"""Every Python block of every page runs, with what its reader has at hand for the names that a page does not make."""

import importlib.util
import inspect
import os
import re
import socket
from pathlib import Path

import pytest
import torch
from pages import PAGES, ROOT, blocks
from torch import nn

import metaloss
from metaloss.data import SyntheticScenes, collate, write_image, write_scenes
from metaloss.metrics import METRICS

pytestmark = pytest.mark.slow

# recipes for other people's repositories, and pages whose blocks have tests of their own
ELSEWHERE = {
    "docs/networks.md": "examples/test_networks_page.py",
    "docs/peers.md": "examples/test_peers_page.py",
}
# trainings of the text, in seconds
SMALLER = [
    (r"epochs=50, meta_steps=200", "epochs=1, meta_steps=1"),
    (r"epochs=2, meta_steps=4", "epochs=1, meta_steps=2"),
    (r"warmup_epochs=1, schedule", "schedule"),
]
SMALL = ["train_scenes=4", "val_scenes=2", "image_size=(32,32)", "crop_size=16", "task_size=32", "meta_steps=1"]
CONFIG = re.compile(r"^_base_ = ", re.MULTILINE)


def python(page):
    return [block for _, block in blocks(PAGES[page], "python")]


def scripts(page):
    return [block for block in python(page) if not CONFIG.search(block)]


def run(page, space=None):
    """Runs the blocks of a page one after the other, as one script."""
    space = {"__name__": "page", **(space or {})}
    for block in scripts(page):
        for long, short in SMALLER:
            block = re.sub(long, short, block)
        before = GIVEN.get(page, {})
        for words, make in before.items():
            if words in block:
                space.update(make())
        exec(compile(block, page, "exec"), space)
    return space


class Weights(nn.Module):
    """A loss generator of six parameters."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(2, 2, 1)

    def forward(self, *sources):
        return self.layer(torch.cat(sources, dim=1)).softmax(dim=1)


def small_fusion():
    return metaloss.Concatenated(nn.Sequential(nn.Conv2d(2, 1, 3, padding=1), nn.Sigmoid()))


def small_learner():
    return metaloss.MetaLearner(
        fusion=small_fusion(),
        loss=metaloss.LearnableFusionLoss(Weights()),
        task=metaloss.ModuleTask(nn.Conv2d(1, 4, 3, padding=1), nn.functional.cross_entropy),
        lr=1e-3,
    )


def scenes(count=4):
    return SyntheticScenes(count, size=(32, 32))


def batch(seed=0):
    made = SyntheticScenes(2, size=(32, 40), seed=seed)
    return collate([made[0], made[1]])


def segmentation():
    return metaloss.ModuleTask(nn.Conv2d(1, 4, 3, padding=1), nn.functional.cross_entropy)


def readme_steps():
    return {"meta_train": batch(), "meta_test": batch(1), "batch": batch()}


def readme_check():
    return {"task": segmentation(), "network": small_fusion(), "sources": batch().sources}


def bytes_images():
    pairs = torch.randint(256, (3, 1, 1, 176, 176)).float()  # the least that MS-SSIM is defined for
    for name, images in zip(("fused", "ir", "vi"), pairs, strict=True):
        for number, image in enumerate(images):
            write_image(Path(name, f"{number}.png"), image / 255)
    return dict(zip(("fused", "ir", "vi"), pairs, strict=True))


def one_process():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    os.environ.update(RANK="0", WORLD_SIZE="1", MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    return {"torch": torch, "learner": small_learner(), "dataset": scenes()}


def boxes():
    write_scenes("ROOT", SyntheticScenes(2, size=32))
    Path("ROOT/labels").mkdir()
    for name in Path("ROOT/train.txt").read_text().split():
        Path("ROOT/labels", f"{name}.txt").write_text("1 0.5 0.5 0.25 0.25\n")
    return {}


def weight_files():
    timm, torchvision = pytest.importorskip("timm"), pytest.importorskip("torchvision")
    from safetensors.torch import save_file

    save_file(timm.create_model("resnet18", num_classes=3).state_dict(), "weights.safetensors")
    network = torchvision.models.segmentation.deeplabv3_resnet50(
        weights=None, weights_backbone=None, num_classes=9, aux_loss=True
    )
    torch.save(network.state_dict(), "weights.pth")
    return {"metaloss": metaloss}


def detector():
    return metaloss.build_task("torchvision", model="ssdlite320_mobilenet_v3_large", num_classes=3)


def to_export():
    for name, scene in zip(("ir.png", "vi.png"), torch.rand(2, 3, 31, 45), strict=True):
        write_image(Path(name), scene)
    return {"metaloss": metaloss, "network": metaloss.networks.ReFusionNet()}


def exported():
    metaloss.export(metaloss.networks.ReFusionNet(), "fusion.pt2")
    return dict(zip(("ir", "vi"), torch.rand(2, 1, 1, 32, 48), strict=True))


def a_training():
    items = [{"sources": tuple(torch.rand(2, 1, 16, 16)), "target": torch.zeros(16, 16).long()} for _ in range(4)]
    learner = metaloss.MetaLearner(
        fusion=metaloss.networks.ReFusionNet(),
        loss=metaloss.LearnableFusionLoss(metaloss.networks.LossGenerator()),
        task=metaloss.ModuleTask(nn.Conv2d(1, 2, 3, padding=1), nn.functional.cross_entropy),
    )
    learner.fit(items, epochs=1, meta_steps=1, work_dir="work_dirs/demo")
    Path("work_dirs/demo/epoch_1.pth").rename("work_dirs/demo/epoch_10.pth")
    return dict(zip(("infrared", "visible"), torch.rand(2, 1, 21, 35), strict=True))


def a_training_and_two_images():
    for name, image in a_training().items():
        write_image({"infrared": "ir.png", "visible": "vi.png"}[name], image)
    return {}


# by page, what has to be there before the block with these words
GIVEN = {
    "README.md": {
        "fuser = metaloss.Fuser": a_training_and_two_images,
        "learner.meta_step": readme_steps,
        "(encoder, decoder)": lambda: {"encoder": nn.Conv2d(1, 8, 3, padding=1), "decoder": nn.Conv2d(8, 1, 3)},
        "check_task(task": readme_check,
    },
    "docs/data.md": {},
    "docs/detection.md": {"PairedDataset": boxes},
    "docs/export.md": {"metaloss.export(": to_export, "torch.export.load": exported},
    "docs/fuse.md": {
        "work_dirs/demo": a_training,
        "learner.save": lambda: {"learner": small_learner(), "MyNetwork": small_fusion},
    },
    "docs/metrics.md": {"evaluate": bytes_images},
    "docs/report.md": {"Watch": lambda: {"learner": small_learner(), "scenes": scenes(), "held_out": scenes(1)}},
    "docs/plugins.md": {"check_task(task": lambda: {**readme_steps(), **readme_check()}},
    "docs/processes.md": {"init_process_group": one_process},
    "docs/recommended.md": {
        "LossGenerator": lambda: {
            "metaloss": metaloss,
            "fusion": small_fusion(),
            "task": segmentation(),
            "scenes": scenes(),
        }
    },
    "docs/runs.md": {
        "save_best": lambda: {"learner": small_learner(), "dataset": scenes(), "score": lambda learner: 50.0},
    },
    "docs/signal.md": {
        "learner.signal": lambda: {
            "learner": small_learner(),
            "scenes": SyntheticScenes(8, size=(48, 64)),
            "Episodes": metaloss.data.Episodes,
        }
    },
    "docs/tasks.md": {
        "weights.safetensors": weight_files,
        "MultiTask(": lambda: {"segmentation": segmentation(), "detector": detector()},
        "ids": lambda: {"ir": torch.rand(1, 8, 8), "vi": torch.rand(1, 8, 8), "ids": torch.zeros(8, 8)},
    },
}
NEEDS = {
    "docs/export.md": ("onnx", "onnxscript", "onnxruntime"),
    "docs/report.md": ("matplotlib",),
    "README.md": ("mmseg", "mmdet", "mmcv.ops", "ultralytics", "timm", "torchvision"),
    "docs/detection.md": ("mmdet", "mmcv.ops", "ultralytics", "torchvision"),
    "docs/metrics.md": ("torchmetrics",),
    "docs/tasks.md": ("timm", "torchvision", "pycocotools", "safetensors"),
}
SLOW = (
    *("README.md", "docs/export.md", "docs/refusion.md", "docs/detection.md", "docs/tasks.md", "docs/recommended.md"),
    *("docs/contributing/task.md", "docs/contributing/network.md"),
    *("docs/tutorials/own_network.md", "docs/tutorials/own_task.md"),
)
TRAININGS = [page for page in PAGES if page.startswith("docs/tutorials/") and len(blocks(PAGES[page], "bash"))]
PLAIN = [page for page in PAGES if page not in ELSEWHERE and page not in TRAININGS and scripts(page)]


def tables_that_pages_add_to():
    """The metrics and, where MMEngine is installed, the modules that configs name."""
    if importlib.util.find_spec("mmengine") is None:
        return [METRICS]
    from metaloss.engine.registry import MODELS

    return [METRICS, MODELS.module_dict]


@pytest.mark.parametrize("page", [pytest.param(page, marks=pytest.mark.slow if page in SLOW else ()) for page in PLAIN])
def test_a_pages_blocks(page, tmp_path, monkeypatch, published):
    """As one script; tests that a page defines are run as well."""
    for name in NEEDS.get(page, ()):
        pytest.importorskip(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "environ", os.environ.copy())
    if page == "docs/data.md":
        for name, folder in (("fmb", "FMB"), ("msrs", "MSRS-main"), ("llvip", "LLVIP")):
            (tmp_path / folder).symlink_to(published(name))
    tables = tables_that_pages_add_to()
    before = [dict(table) for table in tables]
    try:
        space = run(page)
        for name, test in [each for each in space.items() if each[0].startswith("test_")]:
            test(*[tmp_path] * len(inspect.signature(test).parameters))
            assert name
    finally:
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
        for table, entries in zip(tables, before, strict=True):
            for name in table.keys() - entries.keys():
                del table[name]


CONFIGS = [(page, block) for page in PAGES for block in python(page) if CONFIG.search(block) and page != "README.md"]


@pytest.mark.parametrize(("page", "block"), CONFIGS)
def test_a_pages_configs(page, block, tmp_path):
    """A config of a page is read, and nothing in it is passed over."""
    pytest.importorskip("mmengine")
    from mmengine.config import Config

    from metaloss.engine import load_config

    (tmp_path / "mine.py").write_text(block)
    config, read = load_config(str(tmp_path / "mine.py")), Config.fromfile(tmp_path / "mine.py")
    for part in ("model", "optim_wrapper", "train_dataloader", "val_dataloader", "train_cfg", "val_cfg"):
        assert config[part] == read[part]


def test_other_pages_have_tests_of_their_own():
    for page, test in ELSEWHERE.items():
        assert Path(page).name in (ROOT / "tests" / test).read_text()
    for page in ELSEWHERE:
        for block in python(page):
            compile(block, page, "exec")


@pytest.mark.slow
@pytest.mark.parametrize("page", TRAININGS)
def test_a_tutorial(page, tmp_path, monkeypatch, capsys):
    """Its Python and its commands, in their order; a long training with fewer and smaller scenes."""
    pytest.importorskip("mmseg")
    from pages import lines

    from metaloss.cli.main import main

    monkeypatch.chdir(tmp_path)
    space = {"__name__": "page"}
    for language, block in blocks(PAGES[page], "python", "bash"):
        if language == "python":
            exec(compile(block, page, "exec"), space)
            continue
        for words in lines(block):
            assert words[0] == "metaloss"
            short = ["--cfg-options", *SMALL] if words[2].endswith("_synthetic") else []
            with pytest.raises(SystemExit) as ended:
                main([*words[1:], *short])
            assert ended.value.code in (0, None), capsys.readouterr().err
