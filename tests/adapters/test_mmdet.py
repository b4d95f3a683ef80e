"""MMDetection as a task: the framework itself, no stand-ins."""

import copy

import numpy as np
import pytest
import torch

import metaloss
from metaloss.errors import CheckpointError, ConfigError, ShapeError
from metaloss.runtime import files
from metaloss.tasks import task_loss

pytest.importorskip("mmdet")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")]
YOLOX = "mmdet::yolox/yolox_tiny_8xb8-300e_coco.py"
RTMDET = "mmdet::rtmdet/rtmdet_tiny_8xb32-300e_coco.py"
FASTER_RCNN = "mmdet::faster_rcnn/faster-rcnn_r18_fpn_8xb8-amp-lsj-200e_coco.py"
DETR = "mmdet::detr/detr_r18_8xb2-500e_coco.py"
DEFORMABLE_DETR = "mmdet::deformable_detr/deformable-detr_r50_16xb2-50e_coco.py"
MODELS = (YOLOX, RTMDET, FASTER_RCNN, DETR, pytest.param(DEFORMABLE_DETR, marks=pytest.mark.slow))


def build(config=YOLOX, num_classes=3, **options):
    torch.manual_seed(0)
    return metaloss.build_task("mmdet", config=config, num_classes=num_classes, **options)


@pytest.fixture(scope="module")
def shared():
    """One YOLOX for the tests that leave it as it is, confident enough to find things."""
    task = build(classes=("person", "bicycle", "car")).eval()
    with torch.no_grad():
        for part in (*task.detector.bbox_head.multi_level_conv_obj, *task.detector.bbox_head.multi_level_conv_cls):
            part.bias += 4.6
    return task


def folder():
    from metaloss_mmdet.configs import MMDET

    return MMDET.configs


def state(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.slow
def test_by_name_by_file_and_by_config(no_processes):
    from mmengine.config import Config

    expected = state(build())
    path = folder() / YOLOX.removeprefix("mmdet::")
    assert same(state(build(YOLOX.removesuffix(".py"))), expected)
    assert same(state(build(path)), expected)
    config = Config.fromfile(path)
    before = config.pretty_text
    assert same(state(build(config)), expected)
    assert config.pretty_text == before


def test_settings_that_cannot_be(tmp_path):
    with pytest.raises(ConfigError, match=r"did you mean 'yolox/yolox_tiny_8xb8-300e_coco\.py'"):
        build(YOLOX.replace("300e", "30e"))
    with pytest.raises(ConfigError, match=r"config 'absent\.py': no such file; give a file, or a name as mmdet::yolox"):
        build("absent.py")
    with pytest.raises(ConfigError, match="num_classes=0: detection needs at least one class"):
        build(num_classes=0)
    with pytest.raises(ConfigError, match="2 class names given for num_classes=3"):
        build(classes=("a", "b"))
    with pytest.raises(ConfigError, match="MaskRCNN learns from masks, and targets are boxes"):
        build("mmdet::mask_rcnn/mask-rcnn_r18_fpn_8xb8-amp-lsj-200e_coco.py")
    (tmp_path / "mine.py").write_text("lr = 1")
    with pytest.raises(ConfigError, match="defines no `model`: expected MMDetection's"):
        build(tmp_path / "mine.py")
    (tmp_path / "other.py").write_text("model = dict(type='YOLOX')")
    with pytest.raises(ConfigError, match=r"other\.py': no head of its model says num_classes"):
        build(tmp_path / "other.py")


@pytest.mark.slow
@pytest.mark.parametrize("config", MODELS)
def test_every_model_learns_and_predicts(config, boxes, monkeypatch):
    """Any number of classes and any size, without a download."""
    import socket

    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("the network was used"))
    task = build(config, num_classes=5)
    assert task.training
    names = list(task.state_dict())
    fused = torch.rand(2, 1, 61, 93)
    targets = [metaloss.data.cut_boxes(each, (61, 93)) for each in boxes]
    losses = task(fused, targets)
    assert all(isinstance(value, torch.Tensor) and value.ndim == 0 for value in losses.values())
    assert task_loss(task, fused, targets).isfinite()
    assert task_loss(task, fused, targets[1:] * 2).isfinite()  # nothing to be seen at all
    assert task_loss(task.eval(), fused, targets).isfinite()  # as in a validation
    task.train()
    before = {name: module.training for name, module in task.named_modules()}
    predictions = task.predict(fused)
    assert {name: module.training for name, module in task.named_modules()} == before
    for prediction in predictions:
        assert prediction.ori_shape == (61, 93)
        assert prediction.pred_instances.bboxes.shape == (len(prediction.pred_instances), 4)
        assert ((prediction.pred_instances.labels >= 0) & (prediction.pred_instances.labels < 5)).all()
    evaluator = task.evaluator()
    evaluator.update(predictions, targets)
    assert all(0 <= value <= 100 for value in evaluator.compute().values())
    assert list(task.state_dict()) == names


def test_yolox_does_not_resize_batches():
    assert build().detector.data_preprocessor.batch_augments is None


def frameworks_own(task, images, targets):
    """MMDetection's preprocessing of 8-bit images, and its loss; what its own trainer does."""
    from mmdet.structures import DetDataSample
    from mmengine.structures import InstanceData

    samples = []
    for image, each in zip(images, targets, strict=True):
        size = {"img_shape": image.shape[1:], "ori_shape": image.shape[1:], "scale_factor": (1.0, 1.0)}
        truth = InstanceData(bboxes=each["boxes"].clone(), labels=each["labels"].clone())
        samples.append(DetDataSample(metainfo=size, gt_instances=truth))
    data = {"inputs": [torch.from_numpy(image) for image in images], "data_samples": samples}
    data = task.detector.data_preprocessor(data, training=True)
    torch.manual_seed(1)
    return data["inputs"], task.detector(data["inputs"], data["data_samples"], mode="loss")


@pytest.mark.filterwarnings("ignore:torch.meshgrid:UserWarning")
@pytest.mark.filterwarnings("ignore:To copy construct:UserWarning")
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("config", [YOLOX, RTMDET, FASTER_RCNN, DETR])
def test_input_and_loss_are_the_frameworks_own(config, channels, boxes):
    task = build(config).eval()
    levels = np.random.default_rng(0).integers(0, 256, (2, channels, 61, 93), dtype=np.uint8)
    bgr = np.broadcast_to(levels, (2, 3, 61, 93)).copy()
    targets = [metaloss.data.cut_boxes(each, (61, 93)) for each in boxes]
    inputs, expected = frameworks_own(task, bgr, targets)
    fused = torch.from_numpy(bgr[:, ::-1].copy()[:, :channels]).float() / 255  # ours are red, green, blue
    assert torch.allclose(task._prepare(fused)[0], inputs, atol=1e-4)
    torch.manual_seed(1)
    losses = task(fused, targets)
    assert losses.keys() == expected.keys()
    for name, value in losses.items():
        whole = sum(expected[name]) if isinstance(expected[name], list) else torch.as_tensor(expected[name])
        assert torch.allclose(value, whole.mean(), rtol=1e-4), name


def held_parts(config, task, replayed, in_single_precision, monkeypatch):
    """What each detector chooses by its own predictions, without a gradient."""
    places = {
        YOLOX: ("bbox_head", ["_get_targets_single"]),
        RTMDET: ("bbox_head", ["get_targets"]),
        FASTER_RCNN: ("rpn_head", ["get_targets", "predict_by_feat"]),
    }
    if config not in places:  # matched by a permutation, which small steps leave as it is
        return []
    head, names = places[config]
    owner = getattr(task.detector, head)
    chosen = [replayed(in_single_precision(getattr(owner, name))) for name in names]
    for name, each in zip(names, chosen, strict=True):
        monkeypatch.setattr(owner, name, each)
    return chosen


@pytest.fixture
def hold(replayed, in_single_precision, monkeypatch):
    """Holds what a detector chooses."""
    return lambda config, task: held_parts(config, task, replayed, in_single_precision, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("config", MODELS)
def test_the_gradient_reaches_the_fused_image(config, boxes, check_gradient, hold):
    task = build(config)
    task.train(config in (YOLOX, RTMDET))  # their signals fade without the batch's own statistics; no dropout
    fused = torch.rand(2, 1, 61, 93)
    targets = [metaloss.data.cut_boxes(each, (61, 93)) for each in boxes]
    check_gradient(task, fused, targets, held=hold(config, task))


@pytest.mark.parametrize("config", [YOLOX, DETR])  # RTMDet divides by at least 1, and its sums are less at first
def test_the_loss_does_not_grow_with_the_batch(config, boxes):
    task = build(config).eval()
    fused = torch.rand(2, 1, 64, 96)
    once, twice = task_loss(task, fused, boxes), task_loss(task, fused.repeat(2, 1, 1, 1), boxes * 2)
    assert torch.allclose(once, twice, rtol=1e-4)


@pytest.mark.parametrize("wrong", [None, torch.zeros(2, 64, 96).long(), [{"boxes": torch.zeros(0, 4)}] * 2])
def test_targets_that_do_not_fit(shared, wrong):
    with pytest.raises(ShapeError, match=r"expected a list of 2 dicts: boxes \(N, 4\)"):
        shared(torch.rand(2, 1, 64, 96), wrong)


@pytest.mark.filterwarnings("ignore:torch.meshgrid:UserWarning")
def test_predictions_are_the_frameworks_own(shared):
    fused = torch.rand(2, 3, 61, 93)
    inputs, samples = shared._prepare(fused)
    with torch.no_grad():
        expected = shared.detector(inputs, samples, mode="predict")
    for found, own in zip(shared.predict(fused), expected, strict=True):
        assert len(found.pred_instances) > 0
        assert torch.equal(found.pred_instances.bboxes, own.pred_instances.bboxes)
        assert torch.equal(found.pred_instances.scores, own.pred_instances.scores)
        assert not found.pred_instances.bboxes.requires_grad
        centres = (found.pred_instances.bboxes[:, :2] + found.pred_instances.bboxes[:, 2:]) / 2
        assert (centres > -16).all()
        assert (centres < torch.tensor([93 + 16, 61 + 16])).all()


def samples(*found):
    from mmdet.structures import DetDataSample
    from mmengine.structures import InstanceData

    made = []
    for rows in found:
        table = torch.tensor(rows).reshape(-1, 6)
        instances = InstanceData(bboxes=table[:, :4], scores=table[:, 4], labels=table[:, 5].long())
        made.append(DetDataSample(metainfo={"ori_shape": (100, 100)}, pred_instances=instances))
    return made


def truth(*rows):
    table = torch.tensor(rows).reshape(-1, 5).float()
    return {"boxes": table[:, :4], "labels": table[:, 4].long()}


def test_the_evaluator_on_cases_known_beforehand(shared):
    both = truth((10, 10, 50, 50, 0), (60, 60, 90, 90, 2))
    perfect = [[10.0, 10, 50, 50, 0.9, 0], [60.0, 60, 90, 90, 0.8, 2]]
    cases = {
        "perfect": (perfect, (100, 100, 100)),
        "one class missed": (perfect[:1], (50, 50, 50)),
        # an overlap of 0.7 each: over the thresholds 0.5, 0.55, 0.6, 0.65
        "loose": ([[10.0, 10, 50, 38, 0.9, 0], [60.0, 60, 90, 81, 0.8, 2]], (None, 100, 0)),
        "confused": ([[10.0, 10, 50, 50, 0.9, 1], [60.0, 60, 90, 90, 0.8, 1]], (0, 0, 0)),
        "nothing": ([], (0, 0, 0)),
    }
    for name, (found, (mean, half, strict)) in cases.items():
        evaluator = shared.evaluator()
        evaluator.update(samples(found), [both])
        scored = evaluator.compute()
        assert list(scored) == ["mAP", "mAP50", "mAP75"], name
        assert (scored["mAP50"], scored["mAP75"]) == (half, strict), name
        assert scored["mAP"] == mean if mean is not None else 40 <= scored["mAP"] <= 50, name
    none = shared.evaluator()
    assert np.isnan(list(none.compute().values())).all()
    none.update(samples(perfect), [truth()])
    assert np.isnan(none.compute()["mAP50"])


def test_the_evaluator_over_several_batches(shared):
    evaluator = shared.evaluator()
    one = truth((10, 10, 50, 50, 0))
    evaluator.update(samples([[10.0, 10, 50, 50, 0.9, 0]], []), [one, one])
    evaluator.update(samples([]), [truth()])
    # recall 1/2 at precision 1: 51 of COCO's 101 points
    assert evaluator.compute() == pytest.approx({"mAP": 50.5, "mAP50": 50.5, "mAP75": 50.5})


@pytest.mark.slow
def test_weights_from_a_local_file(shared, tmp_path):
    torch.save({"meta": {}, "state_dict": state(shared.detector)}, tmp_path / "whole.pth")
    torch.manual_seed(7)
    task = metaloss.build_task("mmdet", config=YOLOX, num_classes=3, checkpoint=tmp_path / "whole.pth")
    assert same(state(task), state(shared))
    with pytest.warns(UserWarning, match=r"whole\.pth: 6 entries stay as initialised, the first 'bbox_head"):
        build(num_classes=4, checkpoint=tmp_path / "whole.pth")
    files.save(tmp_path / "foreign.pth", {"state_dict": {"layer.weight": torch.ones(3)}})
    with pytest.raises(CheckpointError, match=r"foreign\.pth: holds no weights of YOLOX"):
        build(checkpoint=tmp_path / "foreign.pth")


def test_the_task_can_be_copied(boxes):
    task = build().eval()
    fused = torch.rand(2, 1, 64, 96)
    expected = task_loss(task, fused, boxes)
    task.predict(fused)
    twin = copy.deepcopy(task)
    assert same(state(twin), state(task))
    assert torch.equal(task_loss(twin, fused, boxes), expected)


@pytest.mark.slow
@pytest.mark.parametrize("config", MODELS)
def test_a_meta_step_and_a_fusion_step_on_real_pairs(config, msrs, check_steps):
    check_steps(build(config), msrs)
