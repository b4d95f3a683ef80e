"""Labels are refused by name before a framework indexes with them."""

from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

import metaloss
from metaloss.data import check_class_ids, check_class_numbers, check_detections
from metaloss.errors import DataError, ShapeError
from metaloss.tasks import task_loss

FUSED = torch.rand(3, 1, 4, 6)


def ids(*places, base=1):
    """Class ids (3, 4, 6) with some of them set: (image, row, column, id)."""
    target = torch.full((3, 4, 6), base)
    for image, row, column, value in places:
        target[image, row, column] = value
    return target


def detections(*rows, counts=(1, 0, 2)):
    """Targets of three images with boxes and labels, rows of (x1, y1, x2, y2, label)."""
    table, targets = torch.tensor(rows, dtype=torch.float64).reshape(-1, 5), []
    for part in table.split(list(counts)):
        targets.append({"boxes": part[:, :4].float(), "labels": part[:, 4].long()})
    return targets


GOOD = ((0, 0, 4, 4, 0), (1, 1, 2, 3, 2), (0.5, 0, 6, 0.25, 1))


class CountsWaiting(TorchDispatchMode):
    """Counts how often a value is asked for on the host."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += func.overloadpacket in (torch.ops.aten._local_scalar_dense, torch.ops.aten.nonzero)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize(
    "check",
    [
        lambda: check_class_ids(ids((2, 0, 0, 255), (1, 3, 5, 0)), FUSED, 2),
        lambda: check_class_numbers(torch.tensor([0, 1, 1]), FUSED, 2),
        lambda: check_detections(detections(*GOOD), 3, 3),
        lambda: check_detections(detections(counts=(0, 0, 0)), 3, 3),
        lambda: check_detections(detections(*GOOD), 3),
    ],
)
def test_good_labels_pass_and_wait_once_at_most(check):
    with CountsWaiting() as waited:
        check()
    assert waited.count <= 1


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (ids((1, 2, 3, 2)), r"image 1 in the batch: class id 2 is outside 0\.\.1 \(2 classes\)"),
        (ids((2, 0, 0, -1), (2, 0, 1, 7)), "image 2 in the batch: class id -1, 7 is outside"),
        (ids((0, 0, 0, 254)), "image 0 in the batch: class id 254 .* ignored id 255: correct the label, or build"),
        (ids((0, 0, 0, -100)), "class id -100"),
        (torch.arange(72).view(3, 4, 6), "image 0 in the batch: class id 2, 3, 4 \\.\\.\\. is"),
    ],
)
def test_class_ids_that_are_none(target, said):
    with pytest.raises(DataError, match=said):
        check_class_ids(target, FUSED, 2)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, torch.float32, torch.bool])
def test_class_ids_of_another_type(dtype):
    with pytest.raises(ShapeError, match=f"segmentation target {dtype}: expected class ids .*target.long"):
        check_class_ids(ids().to(dtype), FUSED, 2)


@pytest.mark.parametrize("target", [None, ids()[:, None], ids()[:2], torch.rand(3, 2, 4, 6), [[0]]])
def test_class_ids_of_another_form(target):
    with pytest.raises(
        ShapeError, match=r"segmentation target .* with fused images \(3, 1, 4, 6\): expected class ids"
    ):
        check_class_ids(target, FUSED, 2)


def test_another_id_may_be_ignored():
    assert check_class_ids(ids((0, 0, 0, -1)), FUSED, 2, ignore=-1) is not None
    with pytest.raises(DataError, match="class id 255"):
        check_class_ids(ids((0, 0, 0, 255)), FUSED, 2, ignore=-1)


@pytest.mark.parametrize("number", [3, -1, -100, 255])
def test_class_numbers_that_are_none(number):
    with pytest.raises(DataError, match=rf"image 1 in the batch: class number {number} is outside 0\.\.2 \(3 classes"):
        check_class_numbers(torch.tensor([2, number, 0]), FUSED, 3)


@pytest.mark.parametrize("target", [None, [0, 1, 2], torch.zeros(3), torch.zeros(3, 1).long(), torch.zeros(2).long()])
def test_class_numbers_of_another_form(target):
    with pytest.raises(ShapeError, match=r"with 3 images: expected class numbers \(B,\), int64"):
        check_class_numbers(target, FUSED, 3)


@pytest.mark.parametrize(
    ("place", "row", "said"),
    [
        (0, (0, 0, 4, 4, 3), r"image 0 in the batch: label 3 is outside 0\.\.2 \(3 classes\)"),
        (1, (0, 0, 4, 4, -1), "image 2 in the batch: label -1 is outside"),
        (2, (0, 0, 4, 4, 255), "image 2 in the batch: label 255 is outside"),
        (1, (0, float("nan"), 4, 4, 0), r"image 2 in the batch: box \[0.0, nan, 4.0, 4.0\] is not finite"),
        (0, (0, 0, float("inf"), 4, 0), "image 0 in the batch: box .*inf"),
        (2, (float("-inf"), 0, 3, 4, 0), "image 2 in the batch: box .*inf"),
        (2, (3, 0, 3, 4, 0), r"image 2 in the batch: box \[3.0, 0.0, 3.0, 4.0\] is not finite or has no area"),
        (0, (5, 5, 2, 8, 0), "no area: expected xyxy in pixels"),
    ],
)
def test_detections_that_cannot_be(place, row, said):
    rows = [*GOOD]
    rows[place] = row
    with pytest.raises(DataError, match=said):
        check_detections(detections(*rows), 3, 3)


def test_without_a_number_of_classes_labels_are_not_negative():
    check_detections(detections((0, 0, 1, 1, 99), *GOOD[1:]), 3)
    with pytest.raises(DataError, match="image 0 in the batch: label -2 must not be negative"):
        check_detections(detections((0, 0, 1, 1, -2), *GOOD[1:]), 3)


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (ids((1, 2, 3, 4)), r"image 1 in the batch: class id 4 with an output of 4 channels, for the ids 0\.\.3"),
        (ids((0, 0, 0, 255), (2, 0, 0, 9)), "image 2 in the batch: class id 9 with"),
        (ids((2, 0, 0, 255)), "image 2 in the batch: class id 255 .*ignore_index"),
        (ids((0, 1, 0, -1)), "image 0 in the batch: class id -1 with"),
    ],
)
def test_a_module_without_a_channel_for_an_id(target, said):
    task = metaloss.ModuleTask(nn.Conv2d(1, 4, 1), F.cross_entropy)
    with pytest.raises(DataError, match=said):
        task_loss(task, FUSED, target)
    assert task_loss(task, FUSED, ids(base=3)) > 0


def test_a_classifier_without_an_output_for_a_number():
    task = metaloss.ModuleTask(nn.Sequential(nn.Flatten(), nn.Linear(24, 2)), F.cross_entropy)
    with pytest.raises(DataError, match="image 2 in the batch: class id 2 with an output of 2 channels"):
        task_loss(task, FUSED, torch.tensor([0, 1, 2]))


def test_other_errors_of_a_loss_function_stay_as_they_are():
    def loss_fn(output, target):
        return [output.mean()][1]

    with pytest.raises(IndexError, match="list index out of range"):
        task_loss(metaloss.ModuleTask(nn.Conv2d(1, 4, 1), loss_fn), FUSED, ids())


@pytest.mark.parametrize(
    ("loss_fn", "wrong"),
    [
        (F.cross_entropy, 4),
        (F.cross_entropy, 255),
        (partial(F.cross_entropy, ignore_index=255), -100),
        (partial(F.cross_entropy, ignore_index=255), 4),
        (partial(F.cross_entropy, label_smoothing=0.1), 255),
        (nn.CrossEntropyLoss(ignore_index=7), 255),
        (nn.CrossEntropyLoss(), -1),
        (nn.NLLLoss(ignore_index=255), 5),
        (F.nll_loss, -3),
    ],
)
def test_torchs_own_losses_are_never_asked_with_an_id_that_is_none(loss_fn, wrong, monkeypatch):
    task = metaloss.ModuleTask(nn.Conv2d(1, 4, 1), loss_fn)
    target = ids((2, 3, 4, wrong))
    asked = []
    monkeypatch.setattr(torch._C._nn, "cross_entropy_loss", lambda *given: asked.append(given))
    monkeypatch.setattr(torch._C._nn, "nll_loss_nd", lambda *given: asked.append(given))
    with pytest.raises(DataError, match=f"image 2 in the batch: class id {wrong} with an output of 4 channels"):
        task(FUSED, target)
    assert not asked


@pytest.mark.parametrize(
    ("loss_fn", "left_out"),
    [
        (F.cross_entropy, -100),
        (partial(F.cross_entropy, ignore_index=255), 255),
        (nn.CrossEntropyLoss(ignore_index=7), 7),
        (lambda output, target: F.cross_entropy(output, target, ignore_index=9), 9),
        (lambda output, target: (output[:, 1] - (target == 80).float()).square().mean(), 80),
    ],
)
def test_ids_that_a_loss_leaves_out_pass(loss_fn, left_out):
    assert task_loss(metaloss.ModuleTask(nn.Conv2d(1, 4, 1), loss_fn), FUSED, ids((1, 1, 1, left_out))).isfinite()


@pytest.mark.parametrize("check", [check_class_ids, check_class_numbers])
def test_labels_that_are_not_finite(check):
    target = torch.full((3, 4, 6) if check is check_class_ids else (3,), float("nan"))
    with pytest.raises(ShapeError, match=r"torch\.float32 with values that are not finite"):
        check(target, FUSED, 2)


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (None, "the items have no target, and the loss is one of class ids: give target="),
        (torch.zeros(3, 4, 6), r"\(3, 4, 6\) torch.float32: expected class ids \(3, 4, 6\), int64, .*give target.long"),
        (torch.zeros(3, 4, 6, dtype=torch.uint8), "torch.uint8: .*give target.long"),
        (torch.zeros(3, 1, 4, 6, dtype=torch.int64), r"\(3, 1, 4, 6\) torch.int64: .*leave the channel out"),
    ],
)
def test_targets_that_cross_entropy_does_not_take(target, said):
    with pytest.raises(ShapeError, match=said):
        metaloss.ModuleTask(nn.Conv2d(1, 4, 1), F.cross_entropy)(FUSED, target)


def test_shares_of_classes_stay_targets_of_cross_entropy():
    for channels in (1, 4):
        shares = torch.full((3, channels, 4, 6), 1 / channels)
        assert metaloss.ModuleTask(nn.Conv2d(1, channels, 1), F.cross_entropy)(FUSED, shares).isfinite()
