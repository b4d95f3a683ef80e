"""The study of fine-tuning: its runs, its page, and one small cycle of it."""

import json

import pytest
import torch
from weight_files import write as write_weights

from benchmarks import finetune, published_images
from benchmarks.evidence import peers
from benchmarks.evidence.peers import OWN
from benchmarks.evidence.problems import load
from benchmarks.evidence.runs import Folders
from benchmarks.evidence.settings import Settings
from benchmarks.finetune import LEARNED, PUBLISHED, UNIFORM, page, runs_of
from benchmarks.published_images import agreement
from metaloss.data import write_image
from metaloss.errors import DataError
from metaloss.evaluation.results import write_result
from metaloss.plugins import build_fusion

SETTINGS = Settings(
    data="synthetic", alpha=1.0, weights="learned", seed=0, epochs=2, warmup=1, meta_steps=1, crops=4, task_epochs=1
)


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """A folder of published weights, of one small network."""
    network = build_fusion("datfuse").eval()
    write_weights(tmp_path / "datfuse", "datfuse", network.state_dict())
    (tmp_path / "peers").mkdir()
    (tmp_path / "datfuse").rename(tmp_path / "peers" / "datfuse")
    monkeypatch.setattr(peers, "DATA", tmp_path)
    return network


def test_each_network_has_its_rows_and_only_trainings_depend_on_the_budget(tmp_path):
    runs = runs_of(SETTINGS, Folders(tmp_path, tmp_path), ["ifcnn", "datfuse"], finetune.ROWS, [5])
    assert [run.name for run in runs[:3]] == [f"ifcnn, {row}" for row in (PUBLISHED, UNIFORM, LEARNED)]
    assert len({run.result for run in runs}) == 8
    assert [run.identity["fusion"] for run in runs] == ["ifcnn"] * 4 + ["datfuse"] * 4
    published, uniform, learned, both = runs[:4]
    assert "epochs" not in published.identity
    assert "lr" in uniform.identity
    assert "inner_update" not in uniform.identity
    assert (learned.identity["inner_update"], learned.identity["gradient"]) == ("image", "learned")
    assert (both.identity["weights"], both.identity["gradient"]) == ("uniform", "learned")


def test_both_forms_of_a_network_have_the_same_published_image(tmp_path):
    names = ["datfuse", f"ifcnn{OWN}"]
    runs = runs_of(SETTINGS, Folders(tmp_path, tmp_path), names, (PUBLISHED, LEARNED), [5])
    expected = ["datfuse, published", "datfuse, learned", "ifcnn, published", "ifcnn own encoders, learned"]
    assert [run.name for run in runs] == expected


def test_a_page_of_scores_differences_and_what_was_paid(tmp_path):
    runs = runs_of(SETTINGS, Folders(tmp_path, tmp_path), ["datfuse", f"datfuse{OWN}"], finetune.ROWS, [5, 6, 7])
    values = {}
    for run in runs:
        row, place = run.name.partition(", ")[2], run.settings.seed - 4
        metrics = {"mAP50 day": 10.0 + len(row), "mAP50 night": 20.0 + len(row) + place}
        paid = {name: len(row) + place for name in finetune.PAID}
        epoch = {f"{source} {side} {kind}s": 0.5 for source in ("ir", "vi") for side in ("on", "off")
                 for kind in ("person", "sign", "car")}  # fmt: skip
        write_result(
            run.result, run.identity, metrics, weights=[{"epoch": 0, "ir": 0.5, "vi": 0.5, **epoch}], fusion=paid
        )
        values.setdefault(run.name, {})[run.settings.seed] = metrics
    shown = page(runs, values, load("synthetic"))
    assert "| datfuse, uniform - datfuse, published | mAP50 | -2.00 | 0.00 | - | 3 |" in shown
    assert "| datfuse, learned - datfuse, uniform | mAP50 day | +0.00 |" in shown
    assert "| datfuse, learned - datfuse, uniform both | mAP50 day | -5.00 |" in shown
    assert "| datfuse own encoders, learned - datfuse, published | mAP50 day | -2.00 |" in shown
    assert "| datfuse own encoders, learned - datfuse own encoders, uniform | mAP50 day | +0.00 |" in shown
    assert "own encoders, published" not in shown
    assert "| datfuse, published | 11.000 |" in shown
    assert "| datfuse, learned | ir | 0.500 | persons |" in shown


@pytest.mark.slow
def test_a_small_cycle_starts_from_the_published_weights_and_is_taken_up(weights, tmp_path):
    folders = Folders(tmp_path / "results", tmp_path / "work")
    published, learned = runs_of(SETTINGS, folders, ["datfuse"], [PUBLISHED, LEARNED], [0])
    image = published._simple()
    scene = load("synthetic").train[0]
    with torch.no_grad():
        expected = weights(*(source[None] for source in scene["sources"]))[0].clamp(0, 1)
    assert torch.equal(image(scene), expected)
    learned.execute()
    content = json.loads(learned.result.read_text())
    assert set(content["fusion"]) == set(finetune.PAID)
    assert [epoch["epoch"] for epoch in content["weights"]] == [0, 1, 2]
    first, last = (torch.load(learned.checkpoint(epoch), weights_only=True)["fusion"] for epoch in (0, 2))
    own = weights.state_dict()
    assert all(torch.equal(first[name], own[name]) for name in own)
    assert not torch.equal(first["convolutional.conv.weight"], last["convolutional.conv.weight"])
    stamp = learned.result.stat().st_mtime_ns
    learned.execute()
    assert learned.result.stat().st_mtime_ns == stamp


def test_weights_that_are_not_there(tmp_path, monkeypatch):
    monkeypatch.setattr(peers, "DATA", tmp_path)
    with pytest.raises(DataError, match=r"peers/ydtr: no weights of ydtr; docs/peers.md says"):
        peers.published_network("ydtr")


class Mean(torch.nn.Module):
    def forward(self, ir, vi):
        return (ir + vi) / 2


def test_how_close_images_are(tmp_path):
    image = torch.arange(256.0).view(1, 16, 16) / 255
    assert agreement(image, image) == (0, 0, pytest.approx(1))
    assert agreement(image / 2 + 0.25, image)[1:] == (pytest.approx(0, abs=0.6), pytest.approx(1, abs=1e-4))
    assert agreement(image, 1 - image) == (pytest.approx(128), pytest.approx(128), pytest.approx(-1))
    for folder in ("ir", "vi", "fused/Mean"):
        write_image(tmp_path / folder / "01.png", image)
    found = published_images.compared(Mean(), tmp_path, "Mean")
    assert found == [(0, 0, pytest.approx(1))]
    with pytest.raises(DataError, match="no images"):
        published_images.compared(Mean(), tmp_path, "Other")
