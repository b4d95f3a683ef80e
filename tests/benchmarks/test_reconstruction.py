"""The study of ReFusion's training: its page, its runs' settings, and one run of it."""

import json

import pytest

from benchmarks import reconstruction
from benchmarks.evidence.runs import RESULTS, Folders
from benchmarks.reconstruction import METRICS, ROWS, page, runs_of
from metaloss.evaluation.results import write_result


def finished(folders):
    """Runs of three seeds: rows score 20 and more; on persons ir has 0.8 and less, on signs vi has 0.6."""
    runs = runs_of(ROWS, range(3), folders)
    for place, several in enumerate(runs.values()):
        for run in several:
            on = {"person": 0.8 - 0.1 * place, "sign": 0.6, "car": 0.5}
            regions = {
                f"{source} {where} {kind}": on[kind] if where == "on" else 0.5
                for source, kind in reconstruction.SHOWN
                for where in ("on", "off")
            }
            metrics = dict.fromkeys(METRICS, 20.0 + place + run.seed) | {"task_loss": 1.0}
            weights = [{"epoch": epoch, **regions} for epoch in range(7)]
            write_result(run.result, run.identity, metrics, weights=weights)
    return runs


def test_a_page_of_scores_differences_and_weights(tmp_path):
    shown = page(finished(Folders(tmp_path, tmp_path)))
    assert "| uniform | 21.00 ± 1.00 |" in shown
    assert "| image - network | reconstruction/PSNR | +1.00 | 0.00 | - | 3 |" in shown
    assert "| network | ir | persons | +0.100 |" in shown
    assert "| image | vi | signs | +0.100 |" in shown
    assert "task_loss" not in shown
    assert "| image - uniform both | reconstruction/PSNR | +2.00 |" in shown
    assert "| uniform | ir |" not in shown


def test_one_row_alone_has_no_differences(tmp_path):
    runs = finished(Folders(tmp_path, tmp_path))
    assert " - uniform" not in page({"image": runs["image"]})


@pytest.mark.slow
def test_a_run_says_where_the_weights_lie_on_classes_that_training_does_not_see(tmp_path, monkeypatch):
    small = "max_epochs=1 warmup_epochs=0 meta_steps=1 train_scenes=4 val_scenes=2 image_size=(48,48) crop_size=48"
    monkeypatch.setattr(reconstruction, "BUDGET", (*small.split(), "task_size=48", reconstruction.BUDGET[-1]))
    (run,) = runs_of(["image"], [3], Folders(tmp_path / "results", tmp_path / "work"))["image"]
    run.execute()
    content = json.loads(run.result.read_text())
    assert set(METRICS) <= content["metrics"].keys()
    assert [epoch["epoch"] for epoch in content["weights"]] == [0, 1]
    assert "ir on background" in content["weights"][-1]


def test_the_kept_runs_are_of_the_shipped_config():
    for file in (RESULTS / "reconstruction").rglob("*.json"):
        content = json.loads(file.read_text())
        (run,) = runs_of([file.parent.name], [content["settings"]["seed"]], Folders().of("reconstruction"))[
            file.parent.name
        ]
        assert content["settings"] == run.identity, f"{file}: of another config than today's; run it again"
