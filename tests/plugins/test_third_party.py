"""The plug-in of the docs page: installed from its own folder, listed, checked, and trained by name."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import metaloss
from metaloss.data import SyntheticScenes, collate
from metaloss.runtime import files
from metaloss.testing import check_fusion, check_task

ROOT = Path(__file__).parents[2]
PLUGIN = ROOT / "examples" / "plugin"
PAGE = (ROOT / "docs" / "plugins.md").read_text()
CONFIG = re.findall(r"```python\n(_base_ = .*?)```", PAGE, re.DOTALL)[0]
SMALL = """
val_evaluator = [dict(type="metaloss.FusionMetric", metrics=("EN",))]
custom_hooks = [dict(type="metaloss.PicturesHook", count=1)]
"""
SIZES = (
    "train_scenes=4 val_scenes=2 image_size=(32,32) crop_size=16 task_size=32 max_epochs=2 warmup_epochs=1 meta_steps=1"
)


@pytest.mark.parametrize(("language", "name"), [("toml", "pyproject.toml"), ("python", "metaloss_edges.py")])
def test_the_page_shows_the_files_as_they_are(language, name):
    shown = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert (PLUGIN / name).read_text() in shown
    assert sorted(path.name for path in PLUGIN.iterdir() if path.is_file()) == ["metaloss_edges.py", "pyproject.toml"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with the plug-in installed in it, as pip does it; nothing is asked of the network."""
    folder = tmp_path_factory.mktemp("plugin")
    shutil.copytree(PLUGIN, folder / "source")
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
    command += ["--target", folder / "site", folder / "source"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "site"


@pytest.fixture
def run(installed, tmp_path):
    """Runs ``metaloss`` where the plug-in is installed."""

    def command(*arguments, beside=()):
        paths = [str(path) for path in (*beside, installed)] + [os.environ.get("PYTHONPATH", "")]
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            "OMP_NUM_THREADS": "1",
            "COLUMNS": "200",
        }
        environment.pop("METALOSS_STRICT_PLUGINS", None)
        full = [sys.executable, "-m", "metaloss", *map(str, arguments)]
        return subprocess.run(full, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False)

    return command


@pytest.mark.slow
def test_it_is_listed_and_a_broken_neighbour_is_reported(run, tmp_path):
    broken = tmp_path / "broken"
    (broken / "broken_plugin-0.7.dist-info").mkdir(parents=True)
    (broken / "broken_plugin.py").write_text("raise RuntimeError('no luck')\n")
    (broken / "broken_plugin-0.7.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: broken_plugin\nVersion: 0.7\n"
    )
    (broken / "broken_plugin-0.7.dist-info" / "entry_points.txt").write_text("[metaloss]\nbroken = broken_plugin\n")
    done = run("list", beside=[broken])
    assert done.returncode == 0, done.stderr
    lines = {name: rest.strip() for name, _, rest in (line.strip().partition(" ") for line in done.stdout.splitlines())}
    assert re.fullmatch(r"ready +borders of labelled regions", lines["edges"])
    assert re.fullmatch(r"ready +two convolutions", lines["two_layers"])
    assert "plug-in that failed to load: broken 0.7 (RuntimeError: no luck)" in done.stdout


@pytest.mark.slow
def test_it_trains_and_fuses_by_name(run, tmp_path):
    pytest.importorskip("mmengine")
    (tmp_path / "edges.py").write_text(CONFIG + SMALL)
    options = [word for option in SIZES.split() for word in ("--cfg-options", option)]
    done = run("train", "edges.py", "--work-dir", "work", *options)
    assert done.returncode == 0, done.stderr
    assert "edges/IoU: " in done.stdout
    content = files.load(tmp_path / "work" / "epoch_2.pth")
    assert content["metaloss"]["fusion"] == {"name": "two_layers", "arguments": {"width": 8}}
    metaloss.data.write_scenes(tmp_path / "scenes", SyntheticScenes(2, size=(32, 40)))
    done = run("fuse", "scenes/ir", "scenes/vi", "--weights", "work/epoch_2.pth", "--out", "fused")
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "fused").glob("*.png"))) == 2


@pytest.fixture
def module(monkeypatch):
    monkeypatch.syspath_prepend(str(PLUGIN))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    import metaloss_edges

    yield metaloss_edges
    del sys.modules["metaloss_edges"]


def test_it_keeps_the_contract(module):
    dataset = SyntheticScenes(2, size=(32, 40))
    batch = collate([dataset[0], dataset[1]])
    points = check_task(module.Edges(), batch).points + check_fusion(module.TwoLayers(), *batch.sources).points
    left_out = [point.name for point in points if point.outcome != "passed"]
    assert left_out == [name for name in left_out if name == "another device" and not torch.cuda.is_available()]
    passed = [point.name for point in points if point.outcome == "passed"]
    assert any(name.startswith("evaluator: fresh each time") for name in passed)
    assert len(passed) > 10
    borders = module.Edges().targets(
        metaloss.FusionBatch(sources=(torch.zeros(1, 1, 4, 4),) * 2, target=torch.tensor([[[0, 0, 1, 1]] * 4]))
    )
    assert torch.equal(borders, torch.tensor([0.0, 1, 1, 0]).expand(1, 1, 4, 4))


def test_two_plugins_of_its_names_are_refused(module, monkeypatch):
    manager = metaloss.plugins.plugin_manager()
    monkeypatch.setattr(manager, "failed", list(manager.failed))
    copied = type(sys)("copied")
    copied.metaloss_tasks = module.metaloss_tasks
    manager.register(module, name="edges")
    manager.register(copied, name="copied_edges")
    try:
        with pytest.raises(metaloss.PluginError, match=r"'edges' is given by the plug-ins '(copied_)?edges' and"):
            metaloss.build_task("edges")
    finally:
        manager.unregister(module)
        manager.unregister(copied)
