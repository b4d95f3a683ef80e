"""The study of the papers' networks: its page, and one run of it."""

import json

import pytest

from benchmarks import papers_networks
from benchmarks.evidence.runs import RESULTS, Folders
from benchmarks.papers_networks import ROWS, page, runs_of
from metaloss.evaluation.results import write_result

SMALL = "warmup_epochs=0 meta_steps=1 train_scenes=4 val_scenes=2 image_size=(32,32) crop_size=32 task_size=32"


def finished(folders, on):
    """Runs of three seeds whose rows score 50 and more, with `on` the weight of the right source on objects."""
    runs = [each for several in runs_of(range(3), ROWS, folders).values() for each in several]
    for each in runs:
        place = list(ROWS).index(each.row)
        regions = {
            f"{source} {where} {kind}": on[each.row] if where == "on" else 0.5
            for source, kind in papers_networks.SHOWN
            for where in ("on", "off")
        }
        weights = [{"epoch": epoch, **regions} for epoch in range(7)]
        sources = {"ir alone": {"mIoU": 40.0}, "vi alone": {"mIoU": 41.0}}
        metrics = {"mIoU": 50.0 + place + each.run.seed}
        write_result(each.run.result, each.run.identity, metrics, weights=weights, sources=sources)
    return runs


def test_a_page_of_scores_differences_and_weights(tmp_path):
    shown = page(
        finished(
            Folders(tmp_path, tmp_path),
            {"uniform": 0.5, "uniform both": 0.5, "network": 0.2, "image": 0.75, "recommended": 0.9},
        )
    )
    assert "| uniform | 51.00 ± 1.00 |" in shown
    assert "| vi alone | 41.00 ± 0.00 |" in shown
    assert "| image - network | mIoU | +1.00 | 0.00 | - | 3 |" in shown
    assert "uniform - " not in shown
    assert "| uniform both - uniform | mIoU | +1.00 |" in shown
    assert "| recommended - uniform both | mIoU | +3.00 |" in shown
    assert "| uniform both | ir | persons |" not in shown
    assert "| network | ir | persons | -0.300 |" in shown
    assert "| image | vi | signs | +0.250 |" in shown


@pytest.mark.slow
def test_a_run_trains_judges_and_is_taken_up(tmp_path, monkeypatch):
    pytest.importorskip("mmseg")
    monkeypatch.setattr(papers_networks, "EPOCHS", 1)
    monkeypatch.setattr(papers_networks, "BUDGET", ("max_epochs=1", *SMALL.split()))
    (image,) = runs_of([3], ["image"], Folders(tmp_path / "results", tmp_path / "work"))[3]
    image.execute()
    content = json.loads(image.run.result.read_text())
    assert content["metrics"].keys() == content["sources"]["ir alone"].keys() == content["sources"]["vi alone"].keys()
    assert "model.inner_update=image" in content["settings"]["options"]
    assert [epoch["epoch"] for epoch in content["weights"]] == [0, 1]
    stamp = image.run.result.stat().st_mtime_ns
    image.execute()
    assert image.run.result.stat().st_mtime_ns == stamp


def test_the_kept_runs_are_of_the_shipped_configs():
    for file in (RESULTS / "papers_networks").rglob("*.json"):
        content = json.loads(file.read_text())
        (judged,) = runs_of([content["settings"]["seed"]], [file.parent.name], Folders().of("papers_networks"))[
            content["settings"]["seed"]
        ]
        assert content["settings"] == judged.run.identity, f"{file}: of another config than today's; run it again"
