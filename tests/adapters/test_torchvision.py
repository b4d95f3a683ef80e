"""torchvision's segmentation networks and detectors as tasks: the framework itself, no stand-ins."""

import socket

import pytest
import torch
import torch.nn.functional as F
from toys import held, same, scenes

pytest.importorskip("torchvision")
pytest.importorskip("pycocotools")

from torchvision import models
from torchvision.models.detection.transform import GeneralizedRCNNTransform

import metaloss
from metaloss.errors import CheckpointError, ConfigError, DataError, ShapeError
from metaloss.tasks import task_loss
from metaloss.testing import check_task

CLASSES = 3
SEGMENTATION, DETECTION = (models.list_models(module=part) for part in (models.segmentation, models.detection))
SMALL = ("lraspp_mobilenet_v3_large", "ssdlite320_mobilenet_v3_large", "fasterrcnn_mobilenet_v3_large_320_fpn")
LRASPP, SSDLITE, FASTER_RCNN = SMALL
FCOS = "fcos_resnet50_fpn"


def build(model, **settings):
    torch.manual_seed(0)
    return metaloss.build_task("torchvision", model=model, **{"num_classes": CLASSES, **settings})


def batch(model, boxes):
    given = scenes(size=(64, 96), dtype=torch.float32)
    return given if model in SEGMENTATION else metaloss.FusionBatch(sources=given.sources, target=boxes)


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*arguments):
        raise AssertionError(f"opened {arguments}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.mark.parametrize("model", SEGMENTATION + DETECTION)
@pytest.mark.usefixtures("no_network")
def test_every_builder_is_built_or_refused(model):
    with torch.device("meta"):
        if model.startswith(("maskrcnn", "keypointrcnn")):
            with pytest.raises(ConfigError, match="targets are boxes: take model='fasterrcnn_resnet50_fpn'"):
                build(model)
        else:
            task = build(model)
            assert all(param.requires_grad for param in task.parameters())
            assert task.classes == ("class 0", "class 1", "class 2")


def test_what_cannot_be_built(tmp_path):
    for model, reason in (
        ("fcn_resnet5", "no segmentation network and no detector 'fcn_resnet5' .*did you mean 'fcn_resnet50'"),
        ("resnet18", r"classifies: .*build_task\('timm', model="),
        ("raft_small", "no segmentation network and no detector 'raft_small'"),
        ("fcn.pth", "is a weight file: name the network, and give it as checkpoint="),
    ):
        with pytest.raises(ConfigError, match=reason):
            build(model)
    with pytest.raises(ConfigError, match="num_classes=1: segmentation tells at least two classes apart"):
        build(LRASPP, num_classes=1)
    with pytest.raises(ConfigError, match="num_classes=0: detection needs at least one class"):
        build(SSDLITE, num_classes=0)
    with pytest.raises(ConfigError, match="2 class names given for num_classes=3"):
        build(LRASPP, classes=("a", "b"))


@pytest.mark.slow
@pytest.mark.parametrize("model", SMALL)
def test_the_contract_is_kept(model, boxes):
    boxes = [boxes[0], {"boxes": boxes[0]["boxes"][:1] + 3, "labels": torch.tensor([1])}]
    task = build(model)
    before = held(task)
    check_task(task, batch(model, boxes), independent=model in SEGMENTATION, assigned=model == FASTER_RCNN)
    assert same(before, held(task))


@pytest.mark.slow
@pytest.mark.parametrize("model", SMALL)
def test_a_meta_step_and_a_fusion_step(model, boxes):
    task, given = build(model), batch(model, boxes)
    learner = metaloss.MetaLearner(
        fusion=metaloss.build_fusion("refusion"), loss=metaloss.LearnableFusionLoss(), task=task, inner_lr=1e-3
    )
    values = learner.meta_step(given, given) | learner.fusion_step(given)
    assert all(value.isfinite() for value in values.values())
    evaluator = task.evaluator()
    evaluator.update(task.predict(learner.fuse(*given.sources)), given.target)
    names = ("mIoU", "mAcc", "aAcc") if model in SEGMENTATION else ("mAP", "mAP50", "mAP75")
    assert tuple(evaluator.compute()) == names


def test_segmentation_is_that_of_the_network_on_normalised_images():
    task, given = build("fcn_resnet50").eval(), scenes(size=(40, 56), dtype=torch.float32)
    fused = torch.stack(given.sources).mean(0)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    target = given.target.clone()
    target[0, :20] = 255
    with torch.no_grad():
        found = task.segmentor((fused.repeat(1, 3, 1, 1) - mean[:, None, None]) / std[:, None, None])
        losses = task(fused, target)
    assert torch.allclose(losses["loss"], F.cross_entropy(found["out"], target, ignore_index=255))
    assert torch.allclose(losses["aux_loss"], 0.5 * F.cross_entropy(found["aux"], target, ignore_index=255))
    assert torch.allclose(task.predict(fused), found["out"])
    assert task_loss(task, fused, torch.full_like(target, 255)) == 0


@pytest.mark.parametrize(("model", "first"), [(FASTER_RCNN, 1), (SSDLITE, 1), (FCOS, 0)])
def test_detection_is_torchvisions_own(model, first, boxes):
    """The network's loss and detections with torchvision's own transform, made for images of this size."""
    task, fused = build(model).eval(), torch.rand(2, 1, 64, 96)
    with torch.no_grad():
        losses, found = task(fused, boxes), task.predict(fused)
    own = task.detector
    if model != SSDLITE:
        divisible = {"size_divisible": own.transform.size_divisible}
        own.transform = GeneralizedRCNNTransform(64, 96, own.transform.image_mean, own.transform.image_std, **divisible)
    images = list(fused.repeat(1, 3, 1, 1))
    with torch.no_grad():
        expected = own(images)
        for part in (own, *((own.rpn, own.roi_heads) if model == FASTER_RCNN else ())):
            part.training = True
        torch.manual_seed(0)
        own_losses = own(images, [{"boxes": each["boxes"], "labels": each["labels"] + first} for each in boxes])
    assert {name.removeprefix("loss_"): float(value) for name, value in losses.items()} == pytest.approx(
        {name.removeprefix("loss_"): float(value) for name, value in own_losses.items()}, rel=1e-5
    )
    assert all("loss" in name for name in losses)
    for mine, theirs in zip(found, expected, strict=True):
        assert torch.allclose(mine["boxes"], theirs["boxes"])
        assert torch.equal(mine["scores"], theirs["scores"])
        assert torch.equal(mine["labels"] + first, theirs["labels"])
        assert ((mine["labels"] >= 0) & (mine["labels"] < CLASSES)).all()


def test_faster_rcnn_draws_in_training_and_alike_in_evaluation(boxes):
    task, fused = build(FASTER_RCNN).eval(), torch.rand(2, 1, 64, 96)
    before = torch.get_rng_state()
    once = task_loss(task, fused, boxes)
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(5)
    assert task_loss(task, fused, boxes) == once
    task_loss(task.train(), fused, boxes)
    assert not torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("model", [SSDLITE, FCOS])
def test_images_of_any_size_keep_their_boxes(model, boxes):
    task = build(model).eval()
    size = (61, 93)
    small = [{"boxes": each["boxes"] * 0.9, "labels": each["labels"]} for each in boxes]
    assert task_loss(task, torch.rand(2, 3, *size), small).isfinite()
    for found in task.predict(torch.rand(2, 1, *size)):
        assert (found["boxes"] >= 0).all()
        assert (found["boxes"] <= torch.tensor([93, 61, 93, 61])).all()


def test_what_a_loss_refuses(boxes):
    segmentor, detector = build("deeplabv3_mobilenet_v3_large"), build(SSDLITE)
    with pytest.raises(DataError, match=r"class id 3 is outside 0\.\.2"):
        segmentor(torch.rand(2, 1, 32, 32), torch.full((2, 32, 32), 3))
    with pytest.raises(DataError, match=r"label 3 is outside 0\.\.2"):
        detector(torch.rand(1, 1, 64, 96), [{"boxes": boxes[0]["boxes"][:1], "labels": torch.tensor([3])}])
    for task, target in ((segmentor, torch.zeros(2, 32, 32).long()), (detector, boxes)):
        with pytest.raises(ShapeError, match=r"shape \(2, 2, 32, 32\): expected grey \(B, 1, H, W\) or RGB"):
            task(torch.rand(2, 2, 32, 32), target)
    with pytest.raises(ShapeError, match="give a batch of two images or more, or larger images"):
        segmentor.train()(torch.rand(1, 1, 32, 32), torch.zeros(1, 32, 32).long())


def test_scores():
    evaluator = build(LRASPP).evaluator()
    target = torch.tensor([[[0, 0, 1, 255]]])
    evaluator.update(list(F.one_hot(torch.tensor([[[0, 1, 1, 2]]]), 3).permute(0, 3, 1, 2).float()), target)
    # class 0: one of two found; class 1: found, and one too many; class 2: nowhere
    assert evaluator.compute() == pytest.approx({"mIoU": 50, "mAcc": 75, "aAcc": 200 / 3})
    truth = {"boxes": torch.tensor([[4.0, 4, 40, 40]]), "labels": torch.tensor([2])}
    found = {**truth, "scores": torch.tensor([0.5])}
    for label, score in ((2, 100.0), (1, 0.0)):
        evaluator = build(SSDLITE).evaluator()
        evaluator.update([{**found, "labels": torch.tensor([label])}], [truth])
        assert evaluator.compute() == pytest.approx(dict.fromkeys(("mAP", "mAP50", "mAP75"), score))
    evaluator = build(SSDLITE).evaluator()
    evaluator.update([found], [{name: value[:0] for name, value in truth.items()}])
    assert evaluator.compute() == pytest.approx(dict.fromkeys(("mAP", "mAP50", "mAP75"), float("nan")), nan_ok=True)


@pytest.mark.slow
def test_local_weights(tmp_path):
    whole, backbone = tmp_path / "whole.pth", tmp_path / "backbone.pth"
    saved = models.get_model(LRASPP, weights=None, weights_backbone=None, num_classes=CLASSES).state_dict()
    torch.save({"model": saved}, whole)
    assert same(dict(build(LRASPP, checkpoint=whole).segmentor.state_dict()), dict(saved))
    with pytest.warns(UserWarning, match="entries stay as initialised, the first 'classifier"):
        build(LRASPP, num_classes=7, checkpoint=whole)
    classifier = models.mobilenet_v3_large(weights=None).state_dict()
    torch.save(classifier, backbone)
    with pytest.warns(UserWarning, match="entries stay as initialised"):
        detector = build(FASTER_RCNN, checkpoint=backbone).detector
    first = next(iter(detector.backbone.body.values()))
    assert torch.equal(first[0].weight, classifier["features.0.0.weight"])
    with pytest.raises(CheckpointError, match="holds no weights of FCOS"):
        build(FCOS, checkpoint=whole)
