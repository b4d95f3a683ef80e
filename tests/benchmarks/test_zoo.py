import json
import re

import pytest

from benchmarks.zoo import __main__ as command
from benchmarks.zoo.catalogue import ZOOS, Model, size_order
from benchmarks.zoo.page import page
from benchmarks.zoo.results import Limits, Results
from benchmarks.zoo.trial import attempt


@pytest.mark.parametrize(
    ("zoo", "least", "some"),
    [
        ("mmseg", 50, {"segformer/segformer_mit-b0_8xb2-160k_ade20k-512x512.py"}),
        ("mmdet", 110, {"yolox/yolox_nano_8xb8-300e_coco.py", "rtmdet/rtmdet_tiny_8xb32-300e_coco.py"}),
        ("ultralytics", 50, {"yolov8n.yaml", "yolov8n-p2.yaml", "yolov10n.yaml", "rtdetr-l.yaml", "yolov9t.yaml"}),
        ("timm", 90, {"test_resnet", "densenet121"}),
        ("torchvision", 18, {"fcos_resnet50_fpn", "fcn_resnet50"}),
    ],
)
def test_every_part_of_a_zoo_has_its_smallest_model(zoo, least, some):
    models = list(ZOOS[zoo]())
    names = {model.name for model in models}
    assert len(models) == len(names) >= least
    assert some <= names


def test_small_models_come_first():
    assert min(["a_r101_fpn", "a_r50_fpn_2x", "a_r50_fpn"], key=size_order) == "a_r50_fpn"
    assert min(["swin-l-p4", "swin-t-p4", "swin-s-p4"], key=size_order) == "swin-t-p4"


def test_what_a_model_learns_from_is_read_from_its_name():
    def other(name):
        return Model("mmdet", "", name, "boxes", {}).other

    assert other("mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py") == "masks"
    assert other("faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py") == ""
    assert other("fast_rcnn/fast-rcnn_r50_fpn_1x_coco.py") == "proposals"


MODELS = [
    Model("timm", "resnet", "test_resnet", "classes of images", {"model": "test_resnet"}),
    Model("timm", "none", "absent", "classes of images", {"model": "absent"}),
]


@pytest.mark.slow
def test_a_model_is_tried_in_a_process_of_its_own_and_once(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(command, "ZOOS", {"timm": lambda: MODELS})
    arguments = ["--zoos", "timm", "--out", str(tmp_path)]
    command.main(arguments)
    outcomes = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert [(each["name"], each["outcome"]) for each in outcomes] == [("test_resnet", "works"), ("absent", "refused")]
    text = (tmp_path / "zoo.md").read_text()
    assert "| timm | 2 | 1 | 1 | 0 | 0 |" in text
    assert re.search(r"\| absent \| classes of images \| refused \| .*'absent'", text)

    with (tmp_path / "results.jsonl").open("a") as file:
        file.write('\n{"task": "timm", "name": "cut o')  # a run that was stopped while it wrote
    monkeypatch.setattr(Limits, "outcome", lambda limits, model: pytest.fail("tried again"))
    command.main(arguments)
    assert (tmp_path / "zoo.md").read_text() == text


def test_a_limit_of_time():
    assert Limits(1, 6).outcome(MODELS[0])["outcome"] == "time"


@pytest.mark.slow
def test_a_limit_of_memory():
    large = Model("timm", "vgg", "vgg11", "classes of images", {"model": "vgg11"})
    assert Limits(120, 1).outcome(large)["outcome"] == "memory"


def test_what_is_no_refusal_of_ours_is_a_fault(tmp_path, monkeypatch):
    def broken(*arguments, **options):
        raise ValueError("not | ours")

    monkeypatch.setattr("socket.socket.connect", lambda *arguments: None)
    monkeypatch.setattr("metaloss.build_task", broken)
    results = Results(tmp_path / "results.jsonl")
    results.add(MODELS[0], attempt(MODELS[0]))
    assert results[MODELS[0]]["outcome"] == "fault"
    assert r"| **fault** | ValueError: not \| ours |" in page(MODELS, results, Limits(1, 1))
