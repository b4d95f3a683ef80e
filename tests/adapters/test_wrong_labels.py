"""Labels that are no classes, in every framework: refused before it indexes with them, and before it scores."""

import pytest
import torch

import metaloss
from metaloss.errors import ConfigError, DataError, MetaLossError, ShapeError

SIZE = (64, 96)
SEGMENTATION = {
    "mmseg": {"config": "mmseg::unet/unet-s5-d16_fcn_4xb4-40k_drive-64x64.py"},
    "torchvision": {"model": "lraspp_mobilenet_v3_large"},
}
DETECTION = {
    "mmdet": {"config": "mmdet::yolox/yolox_tiny_8xb8-300e_coco.py"},
    "torchvision": {"model": "ssdlite320_mobilenet_v3_large"},
    "ultralytics": {"model": "yolov8n.yaml"},
}
CLASSIFICATION = {"timm": {"model": "resnet10t"}}


def build(name, options, **more):
    pytest.importorskip(f"metaloss_{name}.adapter" if name != "torchvision" else "metaloss_torchvision.build")
    return metaloss.build_task(name, **options, **(more or {"num_classes": 3}))


def assert_refused(task, fused, target, said, error=DataError):
    """A wrong target is refused in training and by the evaluator, in the same words."""
    with pytest.raises(error, match=said):
        task.train()(fused, target)
    predictions = task.eval().predict(fused)
    evaluator = task.evaluator()
    with pytest.raises(error, match=said):
        evaluator.update(predictions, target)


@pytest.mark.slow
@pytest.mark.parametrize("name", SEGMENTATION)
def test_class_ids(name):
    task, fused = build(name, SEGMENTATION[name]), torch.rand(2, 1, *SIZE)
    good = torch.zeros(2, *SIZE, dtype=torch.int64)
    for wrong in (3, -1, 254, 256, -100):
        target = good.clone()
        target[1, 2, 3] = wrong
        assert_refused(task, fused, target, rf"image 1 in the batch: class id {wrong} is outside 0\.\.2")
    assert_refused(task, fused, good.float(), "torch.float32: expected class ids .*give target.long", ShapeError)
    assert_refused(
        task, fused, good / 0, "torch.float32 with values that are not finite: expected class ids", ShapeError
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", DETECTION)
def test_boxes(name):
    task, fused = build(name, DETECTION[name]), torch.rand(2, 1, *SIZE)
    good = {"boxes": torch.tensor([[4.0, 5.0, 40.0, 50.0]]), "labels": torch.tensor([2])}
    for wrong in (3, -1, 255):
        target = [good, {**good, "labels": torch.tensor([wrong])}]
        assert_refused(task, fused, target, rf"image 1 in the batch: label {wrong} is outside 0\.\.2")
    for wrong in (float("nan"), float("inf")):
        target = [{**good, "boxes": torch.tensor([[4.0, 5.0, wrong, 50.0]])}, good]
        assert_refused(task, fused, target, "image 0 in the batch: box .* is not finite")
    assert_refused(
        task, fused, [good, {**good, "labels": torch.tensor([float("nan")])}], "expected a list of 2", ShapeError
    )


@pytest.mark.parametrize("name", CLASSIFICATION)
def test_class_numbers(name):
    task, fused = build(name, CLASSIFICATION[name]), torch.rand(2, 1, *SIZE)
    for wrong in (3, -1, 255):
        assert_refused(
            task, fused, torch.tensor([0, wrong]), rf"image 1 in the batch: class number {wrong} is outside 0\.\.2"
        )
    assert_refused(task, fused, torch.tensor([0, float("nan")]), "with values that are not finite", ShapeError)


@pytest.mark.parametrize(("name", "options"), [*SEGMENTATION.items(), *DETECTION.items(), *CLASSIFICATION.items()])
def test_a_file_of_classes_is_not_spelt_out(name, options, tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match=r"classes='data\.yaml': no such file here, .* give the names"):
        build(name, options, classes="data.yaml")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data.yaml").write_text("names: [person, car]")
    assert build(name, options, classes="data.yaml").classes == ("person", "car")
    with pytest.raises(MetaLossError, match="2 class names given for num_classes=3"):
        build(name, options, classes="data.yaml", num_classes=3)
