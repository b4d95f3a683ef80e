"""ultralytics' detectors as tasks: the framework itself, no stand-ins."""

import copy
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import metaloss
from metaloss.errors import CheckpointError, ConfigError, ShapeError
from metaloss.runtime import files
from metaloss.tasks import task_loss

pytest.importorskip("metaloss_ultralytics.framework")  # imported by itself, ultralytics would leave its traces
pytestmark = pytest.mark.slow
MODELS = ("yolov8n.yaml", "yolo11n.yaml")


def build(model="yolov8n.yaml", num_classes=3, **options):
    torch.manual_seed(0)
    return metaloss.build_task("ultralytics", model=model, num_classes=num_classes, **options)


@pytest.fixture(scope="module")
def shared():
    """One detector for the tests that leave it as it is, which finds small things everywhere."""
    task = build(classes=("person", "bicycle", "car")).eval()
    with torch.no_grad():
        for level in task.detector.model[-1].cv3:
            level[-1].bias += 4
        for level in task.detector.model[-1].cv2:
            level[-1].bias.view(4, 16)[:, 1] += 10
    return task


def state(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize(("model", "millions"), [("yolov8n.yaml", 3.01), ("yolo11n.yaml", 2.59)])
def test_the_networks_of_the_papers(model, millions):
    task = build(model)
    assert sum(value.numel() for value in task.parameters()) / 1e6 == pytest.approx(millions, abs=0.005)
    assert not task.detector.model[-1].dfl.conv.weight.requires_grad
    assert sum(not value.requires_grad for value in task.parameters()) == 1
    assert task.detector.training


def test_settings_that_cannot_be(tmp_path):
    with pytest.raises(ConfigError, match="num_classes=0: detection needs at least one class"):
        build(num_classes=0)
    with pytest.raises(ConfigError, match="2 class names given for num_classes=3"):
        build(classes=("a", "b"))
    with pytest.raises(ConfigError, match=r"model 'yolov8m8.yaml': no such file, nor .*did you mean 'yolov8"):
        build("yolov8m8.yaml")
    with pytest.raises(ConfigError, match=r"weight file: give model='yolov8n\.yaml' and checkpoint='yolov8n\.pt'"):
        build("yolov8n.pt")
    with pytest.raises(ConfigError, match=r"model 'https://x.org/y\.yaml': no such file"):
        build("https://x.org/y.yaml")
    with pytest.raises(ConfigError, match=r"yolov8n-seg\.yaml' has the head Segment; expected a box detector's"):
        build("yolov8n-seg.yaml")
    (tmp_path / "mine.yaml").write_text("backbone: []")
    with pytest.raises(ConfigError, match=r"mine\.yaml' cannot be built \(KeyError: 'head'\): give a box detector's"):
        build(tmp_path / "mine.yaml")


def test_a_model_file_of_ones_own(tmp_path):
    import ultralytics

    shipped = Path(ultralytics.__path__[0], "cfg", "models", "v8", "yolov8.yaml")
    (tmp_path / "yolov8n-mine.yaml").write_bytes(shipped.read_bytes())
    assert same(state(build(str(tmp_path / "yolov8n-mine.yaml"))), state(build()))


def frameworks_own(task, images, boxes, size):
    """ultralytics' own letterbox, normalisation and loss of 8-bit pictures; what its own trainer does."""
    from ultralytics.data.augment import Format, LetterBox
    from ultralytics.utils.instance import Instances

    letterbox = LetterBox(new_shape=size, scaleup=False)
    form = Format(bbox_format="xywh", normalize=True, batch_idx=True, bgr=0.0)
    labels = []
    for image, each in zip(images, boxes, strict=True):
        instances = Instances(each["boxes"].numpy().copy(), bbox_format="xyxy", normalized=False)
        picture = {"img": image, "cls": each["labels"].numpy()[:, None].copy(), "instances": instances}
        labels.append(form(letterbox(picture)))
    batch = {
        "img": torch.stack([label["img"] for label in labels]).float() / 255,
        "cls": torch.cat([label["cls"] for label in labels]).float(),
        "bboxes": torch.cat([label["bboxes"] for label in labels]).float(),
        "batch_idx": torch.cat([torch.full((len(label["cls"]),), k) for k, label in enumerate(labels)]),
    }
    detector = copy.deepcopy(task.detector)
    detector.criterion = None
    return batch["img"], detector.loss(batch)[0] / len(images)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("size", "padded"), [((64, 96), (64, 96)), ((61, 93), (64, 96)), ((50, 70), (64, 96))])
def test_input_and_loss_are_the_frameworks_own(size, padded, channels, model, boxes):
    task = build(model).eval()
    bgr = (
        np.random.default_rng(0)
        .integers(0, 256, (2, *size, channels), dtype=np.uint8)
        .repeat(4 - channels, -1)[..., :3]
    )
    targets = [metaloss.data.cut_boxes(each, size) for each in boxes]
    images, expected = frameworks_own(task, list(np.ascontiguousarray(bgr)), targets, padded)
    fused = torch.from_numpy(bgr[..., ::-1].copy()).permute(0, 3, 1, 2)[:, :channels].float() / 255
    assert torch.allclose(task._prepare(fused)[0], images, atol=1e-6)
    losses = task(fused, targets)
    assert list(losses) == ["box_loss", "cls_loss", "dfl_loss"]
    assert torch.allclose(torch.stack(list(losses.values())), expected, rtol=1e-4)


@pytest.mark.parametrize("model", MODELS)
def test_the_gradient_reaches_the_fused_image(model, boxes, check_gradient, replayed, monkeypatch):
    """Held: which anchors learn which box. CIoU's own factor has no gradient: the framework's GIoU instead."""
    from ultralytics.utils import loss
    from ultralytics.utils.metrics import bbox_iou
    from ultralytics.utils.tal import TaskAlignedAssigner

    assigned = replayed(TaskAlignedAssigner.forward)
    monkeypatch.setattr(TaskAlignedAssigner, "forward", lambda *arguments: assigned(*arguments))
    monkeypatch.setattr(loss, "bbox_iou", lambda a, b, xywh, CIoU: bbox_iou(a, b, xywh=xywh, GIoU=True))
    check_gradient(build(model).train(), torch.rand(2, 1, 61, 93), boxes, held=[assigned])


@pytest.mark.parametrize("model", MODELS)
def test_the_gradient_of_a_scene_without_objects(model, boxes, check_gradient):
    """Nothing is chosen, and nothing has to be held."""
    check_gradient(build(model).train(), torch.rand(2, 3, 64, 96), boxes[1:] * 2)


def test_a_scene_without_objects_teaches_classes_alone(shared, boxes):
    losses = shared(torch.rand(1, 1, 64, 96), boxes[1:])
    assert losses["box_loss"] == losses["dfl_loss"] == 0
    assert losses["cls_loss"] > 0


def test_the_loss_does_not_grow_with_the_batch(shared, boxes):
    fused = torch.rand(2, 1, 64, 96)
    once, twice = task_loss(shared, fused, boxes), task_loss(shared, fused.repeat(2, 1, 1, 1), boxes * 2)
    assert torch.allclose(once, twice, rtol=1e-5)


@pytest.mark.parametrize("wrong", [None, torch.zeros(2, 64, 96).long(), [{"boxes": torch.zeros(0, 4)}] * 2])
def test_targets_that_do_not_fit(shared, wrong):
    with pytest.raises(ShapeError, match=r"expected a list of 2 dicts: boxes \(N, 4\)"):
        shared(torch.rand(2, 1, 64, 96), wrong)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(61, 93), (64, 96)])
def test_predictions_lie_on_the_fused_image(shared, size, channels):
    from ultralytics.engine.results import Results
    from ultralytics.utils.nms import non_max_suppression
    from ultralytics.utils.ops import scale_boxes

    fused = torch.rand(2, channels, *size)
    shared.train()
    before = {name: module.training for name, module in shared.named_modules()}
    results = shared.predict(fused)
    assert {name: module.training for name, module in shared.named_modules()} == before
    shared.eval()
    images = shared._prepare(fused)[0]
    with torch.no_grad():
        raw = non_max_suppression(shared.detector(images), 0.001, 0.7, multi_label=True, max_det=300)
    for image, result, found in zip(fused, results, raw, strict=True):
        assert isinstance(result, Results)
        assert result.orig_shape == size
        assert result.names == {0: "person", 1: "bicycle", 2: "car"}
        picture = result.orig_img[..., ::-1].transpose(2, 0, 1) / 255
        assert np.abs(picture - image.numpy()).max() <= 0.5 / 255 + 1e-6
        left_and_top = ((images.shape[-1] - size[1]) // 2, (images.shape[-2] - size[0]) // 2)
        expected = scale_boxes(images.shape[-2:], found[:, :4].clone(), size, ratio_pad=((1.0, 1.0), left_and_top))
        assert len(found) > 0
        assert torch.allclose(result.boxes.xyxy, expected, atol=1e-3)
        assert torch.equal(result.boxes.conf, found[:, 4])
        assert not result.boxes.data.requires_grad
        assert len(result[result.boxes.conf > 2]) == 0


def test_nothing_is_found_by_an_untrained_network(boxes):
    task = build().eval()
    with torch.no_grad():
        for level in task.detector.model[-1].cv3:
            level[-1].bias -= 10
    results = task.predict(torch.rand(2, 1, 64, 96))
    assert [len(result) for result in results] == [0, 0]
    evaluator = task.evaluator()
    evaluator.update(results, boxes)
    assert evaluator.compute() == {"mAP50": 0, "mAP75": 0, "mAP50-95": 0}


@pytest.mark.slow
@pytest.mark.parametrize("model", ["yolo26n.yaml", "yolov10n.yaml", "yolov8n-rtdetr.yaml"])
@pytest.mark.parametrize("training", [True, False])
def test_models_that_find_each_object_once(model, training, boxes):
    task = build(model).train(training)
    fused = torch.rand(2, 1, 121, 125, requires_grad=True)
    before = state(task.eval()) if not training else None
    loss = task_loss(task, fused, boxes)
    assert loss.isfinite()
    assert torch.autograd.grad(loss, fused)[0].any()
    assert task_loss(task, fused, boxes[1:] * 2).isfinite()
    assert before is None or same(before, state(task))
    for result in task.predict(fused):
        assert 0 < len(result) <= 300
        assert result.boxes.xyxy.min() >= 0
        assert (result.boxes.xyxy.amax(0) <= torch.tensor([125, 121, 125, 121])).all()
        assert set(result.boxes.cls.tolist()) <= {0, 1, 2}


@pytest.mark.slow
def test_the_loss_of_rt_detr_is_the_frameworks_own(boxes):
    task, fused = build("yolov8n-rtdetr.yaml").eval(), torch.rand(2, 1, 128, 160)
    detector = copy.deepcopy(task.detector)
    batch = {
        "img": fused.expand(-1, 3, -1, -1),
        "cls": torch.tensor([[0.0], [2.0]]),
        "bboxes": torch.tensor([[30.0, 34, 40, 52], [70, 22, 40, 36]]) / torch.tensor([160, 128, 160, 128]),
        "batch_idx": torch.zeros(2),
    }
    with torch.no_grad():
        total, parts = detector.loss(batch)
        losses = task(fused, boxes)
    assert torch.allclose(losses["loss"], total, rtol=1e-5)
    assert losses["l1"] == pytest.approx(parts["l1_loss"].item(), rel=1e-5)
    assert not hasattr(task.detector, "criterion") or task.detector.criterion is None


@pytest.mark.parametrize(
    ("model", "instead"),
    [
        ("yolov8s-world.yaml", "yolov8s.yaml"),
        ("yolov8x-worldv2.yaml", "yolov8x.yaml"),
        ("yoloe-11s.yaml", "yolo11s.yaml"),
        ("yoloe-v8n-seg.yaml", "yolov8n.yaml"),
        ("yolov8n-pose-p6.yaml", "yolov8n-p6.yaml"),
        ("yolo11n-obb.yaml", "yolo11n.yaml"),
        ("yolo11-cls-resnet18.yaml", "yolo11.yaml"),
        ("yolo26n-depth.yaml", "yolo26n.yaml"),
        ("yolov9c-seg.yaml", "yolov9c.yaml"),
    ],
)
def test_models_of_other_tasks_name_the_one_to_take(model, instead):
    with pytest.raises(ConfigError, match=rf"'{model}' has the head \w+; expected .*: take model='{instead}'$"):
        build(model)


def results(task, *found):
    from ultralytics.engine.results import Results

    picture = np.zeros((100, 100, 3), np.uint8)
    return [
        Results(picture, "", dict(enumerate(task.classes)), boxes=torch.tensor(rows).reshape(-1, 6)) for rows in found
    ]


def truth(*rows):
    boxes = torch.tensor([row[:4] for row in rows]).reshape(-1, 4).float()
    return {"boxes": boxes, "labels": torch.tensor([row[4] for row in rows], dtype=torch.int64)}


def test_the_evaluator_gives_the_frameworks_own_numbers(shared, tmp_path):
    """The validator of ultralytics' own trainer, on random predictions near random boxes."""
    from ultralytics.models.yolo.detect import DetectionValidator

    noise = np.random.default_rng(3)
    validator = DetectionValidator(save_dir=tmp_path, args={"plots": False})
    validator.metrics.names = dict(enumerate(shared.classes))
    evaluator = shared.evaluator()
    for _ in range(12):
        corners = noise.uniform(0, 60, (5, 2))
        boxes = np.concatenate([corners, corners + noise.uniform(10, 40, (5, 2))], 1)
        labels = noise.integers(0, 3, 5)
        near = boxes + noise.normal(0, 2.5, boxes.shape)
        rows = np.concatenate([near, noise.random((5, 1)), np.where(noise.random(5) < 0.8, labels, 0)[:, None]], 1)
        rows = rows[rows[:, 4].argsort()[::-1]].astype(np.float32)
        target = {"boxes": torch.from_numpy(boxes).float(), "labels": torch.from_numpy(labels)}
        evaluator.update(results(shared, rows.tolist()), [target])
        found = torch.from_numpy(rows)
        matched = validator._process_batch(
            {"bboxes": found[:, :4], "cls": found[:, 5]}, {"bboxes": target["boxes"], "cls": target["labels"].float()}
        )
        validator.metrics.update_stats(
            matched
            | {
                "conf": rows[:, 4],
                "pred_cls": rows[:, 5],
                "target_cls": labels.astype(np.float32),
                "target_img": np.unique(labels),
                "im_name": str(len(evaluator.images)),
            }
        )
    validator.metrics.process(save_dir=tmp_path)
    scored = evaluator.compute()
    assert scored["mAP50"] == pytest.approx(100 * validator.metrics.results_dict["metrics/mAP50(B)"])
    assert scored["mAP50-95"] == pytest.approx(100 * validator.metrics.results_dict["metrics/mAP50-95(B)"])
    assert scored["mAP75"] == pytest.approx(100 * validator.metrics.box.all_ap[:, 5].mean())
    assert 10 < scored["mAP50-95"] < scored["mAP50"] < 100
    assert scored["mAP75"] != scored["mAP50-95"]
    assert evaluator.compute() == scored


def test_the_evaluator_on_cases_known_beforehand(shared):
    both = truth((10, 10, 50, 50, 0), (60, 60, 90, 90, 2))
    perfect = [[10.0, 10, 50, 50, 0.9, 0], [60.0, 60, 90, 90, 0.8, 2]]
    evaluator = shared.evaluator()
    assert np.isnan(list(evaluator.compute().values())).all()
    evaluator.update(results(shared, perfect), [both])
    assert evaluator.compute() == pytest.approx(dict.fromkeys(("mAP50", "mAP75", "mAP50-95"), 99.5), abs=0.1)
    loose = [[10.0, 10, 50, 38, 0.9, 0], [60.0, 60, 90, 81, 0.8, 2]]  # an overlap of 0.7 each
    evaluator = shared.evaluator()
    evaluator.update(results(shared, loose), [both])
    scored = evaluator.compute()
    assert scored["mAP50"] == pytest.approx(99.5, abs=0.1)
    assert scored["mAP75"] == 0
    empty = shared.evaluator()
    empty.update(results(shared, [], perfect), [truth(), truth()])
    assert np.isnan(empty.compute()["mAP50"])


@pytest.mark.slow
def test_weights_from_the_frameworks_own_file(tmp_path):
    """As ultralytics' trainer leaves it: whole objects, which are never brought to life."""
    from ultralytics.utils import DEFAULT_CFG_DICT

    source = build()
    content = {
        "epoch": -1,
        "model": copy.deepcopy(source.detector).half(),
        "ema": None,
        "train_args": dict(DEFAULT_CFG_DICT),
        "date": "2025-01-01",
    }
    torch.save(content, tmp_path / "best.pt")
    torch.manual_seed(7)
    task = metaloss.build_task("ultralytics", num_classes=3, checkpoint=tmp_path / "best.pt")
    expected = {name: value.half().float() for name, value in source.state_dict().items() if value.is_floating_point()}
    assert all(torch.equal(task.state_dict()[name], value) for name, value in expected.items())
    with pytest.warns(
        UserWarning, match=r"best\.pt: 6 entries stay as initialised, the first 'model\.22\.cv3\.0\.2\.bias"
    ):
        other = build(num_classes=5, checkpoint=tmp_path / "best.pt")
    assert torch.equal(other.detector.model[0].conv.weight, task.detector.model[0].conv.weight)
    files.save(tmp_path / "plain.pth", source.detector.state_dict())
    torch.manual_seed(7)
    plain = metaloss.build_task("ultralytics", num_classes=3, checkpoint=tmp_path / "plain.pth")
    assert same(state(plain), state(source))


class Harmful:
    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call


def test_weight_files_run_no_code(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("one").write_text("here")
    for harm in (Harmful(shutil.copyfile, ("one", "harm")), Harmful(os.mkdir, ("harm",))):
        torch.save({"model": harm}, "harmful.pt")
        with pytest.raises(CheckpointError, match=r"harmful\.pt: (holds no weights of DetectionModel|.*never run)"):
            build(checkpoint="harmful.pt")
        assert not Path("harm").exists()
    with pytest.raises(CheckpointError, match=r"absent\.pt: no such file"):
        build(checkpoint="absent.pt")
    Path("text.pt").write_text("weights")
    with pytest.raises(CheckpointError, match=r"text\.pt: "):
        build(checkpoint="text.pt")


def test_the_task_can_be_copied_moved_and_saved(boxes, tmp_path):
    task = build()
    names = list(task.state_dict())
    fused = torch.rand(2, 1, 64, 64)
    task_loss(task, fused, boxes)
    task.predict(fused)
    assert list(task.state_dict()) == names
    twin = copy.deepcopy(task).double()
    assert same(state(copy.deepcopy(task)), state(task))
    assert task_loss(twin, fused.double(), boxes).isfinite()
    files.save(tmp_path / "task.pth", task.state_dict())
    again = build(num_classes=3)
    again.load_state_dict(files.load(tmp_path / "task.pth"))
    assert torch.equal(task_loss(again.eval(), fused, boxes), task_loss(task.eval(), fused, boxes))


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_a_meta_step_and_a_fusion_step_on_real_pairs(model, msrs, check_steps):
    check_steps(build(model), msrs)


ALONE = """
import logging, os, sys, warnings
import numpy as np, torch, cv2
from torch._tensor_str import PRINT_OPTS

def settings():
    return {
        "environment": dict(os.environ), "filters": list(warnings.filters), "printing": dict(vars(PRINT_OPTS)),
        "arrays": np.get_printoptions(), "opencv": cv2.getNumThreads(), "threads": torch.get_num_threads(),
        "save": torch.save, "load": torch.load, "dtype": torch.get_default_dtype(),
        "cudnn": torch.backends.cudnn.benchmark, "deterministic": torch.are_deterministic_algorithms_enabled(),
        "logging": (logging.root.level, list(logging.root.handlers), logging.root.manager.disable),
        "random": torch.get_rng_state().tolist() if seeded else None,
    }

seeded = False
import metaloss
import torchvision
before = settings()
task = metaloss.build_task("ultralytics", num_classes=2)
seeded = True
draws = settings()["random"]
fused = torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
target = [{"boxes": torch.tensor([[4.0, 4.0, 40.0, 40.0]]), "labels": torch.tensor([1])}]
sum(task(fused, target).values()).backward()
evaluator = task.evaluator()
evaluator.update(task.predict(fused), target)
evaluator.compute()
assert settings()["random"] == draws
seeded = False
after = settings()
for name, value in before.items():
    assert str(value) == str(after[name]), (name, value, after[name])
print("done")
"""


@pytest.mark.slow
def test_it_leaves_no_trace_on_the_machine_or_in_the_process(tmp_path):
    """No file in the home, the working or the settings folder, no connection, no setting changed for others."""
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    watch = """
import sys
def refuse(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "urllib.Request"):
        raise RuntimeError(f"{event} {arguments}")
sys.addaudithook(refuse)
"""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("YOLO", "XDG", "PYTEST"))}
    environment |= {"HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-c", watch + ALONE], cwd=work, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")
    assert list(home.rglob("*")) == list(work.rglob("*")) == []
