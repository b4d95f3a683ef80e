import json

import pytest

from benchmarks import demo
from benchmarks.demo import DemoRun, by_region, folders_of, page, validations
from benchmarks.evidence.runs import RESULTS, Folders
from metaloss.errors import MetaLossError

SMALL = (
    "max_epochs=1 warmup_epochs=0 meta_steps=1 train_scenes=4 val_scenes=2 image_size=(32,32) crop_size=32 task_size=32"
)


def line(step, on):
    regions = {
        "weight/ir/on/person": on,
        "weight/ir/off/person": 0.5,
        "weight/vi/on/sign": 0.6,
        "weight/vi/off/sign": 0.7,
    }
    return {"step": step, "mIoU": 50.0, "weight/ir/on/car": 0.5, "weight/ir/off/car": 0.4, **regions}


def test_validations_are_those_of_the_newest_training(tmp_path):
    for number, name in enumerate(("old", "new")):
        folder = tmp_path / name / "vis_data"
        folder.mkdir(parents=True)
        lines = [{"loss": 1.0, "step": 1}, line(1, number), line(2, number)]
        (folder / "scalars.json").write_text("".join(json.dumps(each) + "\n" for each in lines))
    found = validations(tmp_path)
    assert [epoch["step"] for epoch in found] == [1, 2]
    assert by_region(found[0])["ir on person"] in (0, 1)
    assert by_region(found[0])["epoch"] == 1


def test_a_page_says_how_many_maps_are_the_right_way_up(tmp_path):
    runs = [DemoRun(demo.CONFIGS[0], seed, (), Folders(tmp_path, tmp_path)) for seed in range(2)]
    for run, on in zip(runs, (0.9, 0.3), strict=True):
        weights = [by_region(line(step, on)) for step in range(8)]
        run.result.parent.mkdir(parents=True, exist_ok=True)
        run.result.write_text(json.dumps({"settings": run.identity, "metrics": {"mIoU": 50.0}, "weights": weights}))
    shown = page("some/config", runs)
    assert "| 0 | 0.900, 0.500, +0.400 | 0.600, 0.700, -0.100 |" in shown
    assert "| ir | persons | +0.100 | 0.300 | +0.3 | 2 | 1 of 2 |" in shown
    assert "| vi | signs | -0.100 | 0.000 | - | 2 | 0 of 2 |" in shown
    assert "mIoU 50.00 in the mean" in shown


@pytest.mark.slow
def test_a_training_and_one_that_fails(tmp_path):
    pytest.importorskip("mmseg")
    folders = Folders(tmp_path / "results", tmp_path / "work")
    run = DemoRun("recommended/segformer_synthetic", 3, (*SMALL.split(), "crop_size=32", "task_size=32"), folders)
    run.execute()
    assert [epoch["epoch"] for epoch in run.history] == [0, 1]
    content = json.loads(run.result.read_text())
    assert content["settings"]["seed"] == 3
    assert "mIoU" in content["metrics"]
    assert not {"time", "step"} & content["metrics"].keys()
    stamp = run.result.stat().st_mtime_ns
    run.execute()
    assert run.result.stat().st_mtime_ns == stamp
    changed = DemoRun("recommended/segformer_synthetic", 3, ("max_epochs=0",), folders)
    with pytest.raises(MetaLossError, match="other settings"):
        changed.execute()
    with pytest.raises(MetaLossError, match=r"the training of recommended.*, seed 4, failed: see .*messages\.txt"):
        DemoRun(changed.config, 4, changed.options, folders).execute()


def test_the_kept_runs_are_of_the_shipped_configs():
    for file in (RESULTS / "demo").rglob("*.json"):
        content = json.loads(file.read_text())
        config, seed = content["settings"]["config"], content["settings"]["seed"]
        run = DemoRun(config, seed, (), folders_of(config, Folders().of("demo")))
        assert content["settings"] == run.identity, (
            f"{file}: of another config than today's; remove it, and run the demo"
        )
        assert file == run.result
        assert len(content["weights"]) == 11
