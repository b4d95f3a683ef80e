"""The demo's page says what a task is scored by, and what it cannot show, whatever the task is."""

import pytest

from benchmarks.demo import CONFIGS, SHOWN, DemoRun, page
from benchmarks.evidence.runs import Folders
from metaloss.errors import MetaLossError
from metaloss.evaluation.results import write_result


def run(place, metrics, kinds=("person", "sign", "car")):
    made = DemoRun(CONFIGS[0], 0, (), Folders(place, place))
    shown = [(source, kind) for source, kind in SHOWN if kind in kinds]
    weights = {f"{source} {where} {kind}": 0.5 for source, kind in shown for where in ("on", "off")}
    write_result(made.result, made.identity, metrics, weights=[{"epoch": epoch, **weights} for epoch in range(7)])
    return made


def test_a_detector_is_scored_by_its_own_metric(tmp_path):
    shown = page("some/config", [run(tmp_path, {"mAP": 0.25, "mAP50": 0.5})])
    assert "mAP50 0.50 in the mean" in shown


def test_a_task_without_a_known_score(tmp_path):
    with pytest.raises(MetaLossError, match="some/config: its validations have none of mIoU, mAP50"):
        page("some/config", [run(tmp_path, {"accuracy": 1.0})])


def test_a_class_that_no_scene_shows(tmp_path):
    with pytest.raises(MetaLossError, match="some/config, seed 0: no scene of the validation shows a sign"):
        page("some/config", [run(tmp_path, {"mIoU": 50.0}, ("person", "car"))])
