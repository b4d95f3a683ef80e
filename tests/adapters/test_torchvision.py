"""torchvision's segmentation networks and detectors as tasks: the framework itself, no stand-ins."""

import socket

import pytest
import torch
import torch.nn.functional as F
from toys import held, same

pytest.importorskip("torchvision")

from torchvision import models

import metaloss
from metaloss.errors import CheckpointError, ConfigError, DataError, ShapeError
from metaloss.testing import check_task

SEGMENTATION, DETECTION = "lraspp_mobilenet_v3_large", "fasterrcnn_mobilenet_v3_large_320_fpn"


def build(model, num_classes=3, **settings):
    torch.manual_seed(0)
    return metaloss.build_task("torchvision", model=model, num_classes=num_classes, **settings)


@pytest.fixture
def batch(boxes):
    sources = tuple(torch.rand(2, 1, 64, 96, generator=torch.Generator().manual_seed(seed)) for seed in (1, 2))
    return metaloss.FusionBatch(sources=sources, target=boxes)


@pytest.fixture
def ids(batch):
    target = torch.randint(3, (2, 64, 96), generator=torch.Generator().manual_seed(3))
    target[:, :8] = 255
    return metaloss.FusionBatch(sources=batch.sources, target=target)


def train_once(task, batch):
    learner = metaloss.MetaLearner(
        fusion=metaloss.build_fusion("refusion"), loss=metaloss.LearnableFusionLoss(), task=task, inner_lr=1e-3
    )
    values = learner.meta_step(batch, batch) | learner.fusion_step(batch)
    assert all(value.isfinite() for value in values.values())
    evaluator = task.evaluator()
    evaluator.update(task.predict(learner.fuse(*batch.sources)), batch.target)
    return evaluator.compute()


@pytest.mark.slow
def test_a_segmentation_network_keeps_the_contract(ids):
    task = build(SEGMENTATION)
    before = held(task)
    check_task(task, ids, independent=False)
    assert same(before, held(task))
    assert train_once(task, ids).keys() == {"mIoU", "mAcc", "aAcc"}


@pytest.mark.slow
@pytest.mark.parametrize("model", [DETECTION, "retinanet_resnet50_fpn", "ssdlite320_mobilenet_v3_large"])
def test_detectors_train_and_leave_nothing_behind(model, batch):
    task = build(model)
    before = held(task)
    predictions = task.predict(batch.sources[0])
    assert same(before, held(task))
    for each in predictions:
        assert (each["boxes"] >= 0).all()
        assert (each["boxes"] <= torch.tensor([96.0, 64.0] * 2)).all()
        assert ((each["labels"] >= 0) & (each["labels"] < 3)).all()
    fused = batch.sources[0].clone().requires_grad_()
    metaloss.tasks.task_loss(task, fused, batch.target).backward()
    assert fused.grad.isfinite().all()
    assert fused.grad.any()
    assert train_once(task, batch).keys() == {"mAP", "mAP50", "mAP75"}


def test_the_loss_is_cross_entropy_with_the_auxiliary_classifiers(ids):
    task = build("fcn_resnet50").eval()
    fused = ids.sources[0]
    mean, std = (torch.tensor(value)[:, None, None] for value in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    found = task.segmentor((fused.repeat(1, 3, 1, 1) - mean) / std)
    expected = {
        "loss": F.cross_entropy(found["out"], ids.target, ignore_index=255),
        "aux_loss": 0.5 * F.cross_entropy(found["aux"], ids.target, ignore_index=255),
    }
    losses = task(fused, ids.target)
    assert losses.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(losses[name], value)


@pytest.mark.parametrize("training", [True, False])
def test_the_detectors_loss_is_its_own_on_images_that_are_not_resized(training, batch):
    task = build("fcos_resnet50_fpn").train(training)
    detector = models.detection.fcos_resnet50_fpn(
        weights=None, weights_backbone=None, num_classes=3, min_size=64, max_size=96
    )
    detector.load_state_dict(task.detector.state_dict())
    detector.backbone.train(training)
    expected = detector.train()(list(batch.sources[0].expand(-1, 3, -1, -1)), batch.target) if training else None
    losses = task(batch.sources[0], batch.target)
    assert all("loss" in name for name in losses)
    if training:
        torch.testing.assert_close(sum(losses.values()), sum(expected.values()), rtol=1e-4, atol=1e-4)


def test_scores_of_right_and_wrong_answers(boxes, ids):
    detection = build(DETECTION).evaluator()
    right = [{**each, "scores": torch.ones(len(each["labels"]))} for each in boxes]
    detection.update(right, boxes)
    assert detection.compute() == {"mAP": pytest.approx(1), "mAP50": pytest.approx(1), "mAP75": pytest.approx(1)}
    wrong = [{**each, "labels": (each["labels"] + 1) % 3} for each in right]
    detection = build(DETECTION).evaluator()
    detection.update(wrong, boxes)
    assert detection.compute()["mAP"] == 0

    segmentation = build(SEGMENTATION).evaluator()
    known = ids.target.where(ids.target != 255, 0)
    segmentation.update(F.one_hot(known, 3).permute(0, 3, 1, 2).float(), ids.target)
    assert segmentation.compute() == dict.fromkeys(("mIoU", "mAcc", "aAcc"), pytest.approx(100))


def test_labels_that_are_no_classes(batch, ids, boxes):
    wrong = [{**boxes[0], "labels": torch.tensor([0, 3])}, boxes[1]]
    with pytest.raises(DataError, match=r"image 0 in the batch: label 3 is outside 0\.\.2"):
        build(DETECTION)(batch.sources[0], wrong)
    target = ids.target.clone()
    target[1, 20, 20] = 3
    with pytest.raises(DataError, match=r"image 1 in the batch: class id 3 is outside 0\.\.2"):
        build(SEGMENTATION)(ids.sources[0], target)
    with pytest.raises(ShapeError, match="expected class ids"):
        build(SEGMENTATION)(ids.sources[0], target[:, :8])


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("maskrcnn_resnet50_fpn", "learns from masks.*take model='fasterrcnn_resnet50_fpn'"),
        ("keypointrcnn_resnet50_fpn", "learns from keypoints"),
        ("resnet18", "classifies: .*build_task.'timm'"),
        ("fcn_resnet5", "did you mean 'fcn_resnet50'"),
        ("mine.pth", "weight file: name the network"),
    ],
)
def test_what_is_no_task(model, reason):
    with pytest.raises(ConfigError, match=reason):
        build(model)


def test_nothing_is_downloaded(monkeypatch):
    def refuse(*arguments):
        raise AssertionError(f"opened {arguments}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    for model in (SEGMENTATION, DETECTION):
        assert all(param.requires_grad for param in build(model).parameters())


def test_one_image_of_batch_norm_is_explained():
    with pytest.raises(ShapeError, match=r"batch norm is left with one value per channel: give a batch of two images"):
        build("deeplabv3_mobilenet_v3_large").train()(torch.rand(1, 1, 64, 64), torch.zeros(1, 64, 64).long())


def test_local_weights(tmp_path):
    saved = build(SEGMENTATION).segmentor.state_dict()
    torch.save({"model": saved}, tmp_path / "w.pth")
    torch.manual_seed(7)
    task = build(SEGMENTATION, checkpoint=tmp_path / "w.pth")
    assert same(dict(task.segmentor.state_dict()), dict(saved))
    backbone = models.mobilenet_v3_large(weights=None).state_dict()
    torch.save(backbone, tmp_path / "b.pth")
    with pytest.warns(UserWarning, match="stay as initialised"):
        task = build(SEGMENTATION, checkpoint=tmp_path / "b.pth")
    assert torch.equal(task.segmentor.backbone["0"][0].weight, backbone["features.0.0.weight"])
    torch.save({"x": torch.ones(1)}, tmp_path / "x.pth")
    with pytest.raises(CheckpointError, match="holds no weights"):
        build(SEGMENTATION, checkpoint=tmp_path / "x.pth")
