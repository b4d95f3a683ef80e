"""Means over some of the classes, against counting by hand."""

import math

import numpy as np
import pytest
import torch

from metaloss.data import SyntheticScenes, known_dataset
from metaloss.evaluation.class_means import class_means, mean_iou
from metaloss.tasks.multi import MultiEvaluator


class Counted:
    def __init__(self, counts):
        self.counts = torch.as_tensor(counts)

    def confusion(self):
        return self.counts


def pixels(classes, generator, absent=()):
    truth = generator.integers(0, classes, 4000)
    truth = truth[~np.isin(truth, absent)]
    found = np.where(generator.random(len(truth)) < 0.6, truth, generator.integers(0, classes, len(truth)))
    return truth, found


def by_hand(truth, found, ids):
    """With all that is labelled otherwise taken out of the picture first."""
    kept = np.isin(truth, ids)
    truth, found = truth[kept], found[kept]
    shares = [((truth == k) & (found == k)).sum() / max(((truth == k) | (found == k)).sum(), 1) for k in ids]
    return 100 * sum(shares) / len(ids)


@pytest.fixture
def fmb(published):
    return known_dataset("fmb", published("fmb"), "test[::99]")


@pytest.mark.parametrize("absent", [(), (13,)])
def test_the_three_means_of_fmb(fmb, absent):
    truth, found = pixels(15, np.random.default_rng(0), absent)
    counts = np.zeros((15, 15), np.int64)
    np.add.at(counts, (truth, found), 1)
    means = class_means(Counted(counts), fmb)
    assert list(means.values) == ["mIoU/15 classes", "mIoU/14 classes", "mIoU/13 classes"]
    for protocol, value in zip(fmb.protocols, means.values.values(), strict=True):
        assert value == pytest.approx(by_hand(truth, found, protocol.ids))
    assert len({round(value, 6) for value in means.values.values()}) == 3
    assert "14 classes without unlabelled, 13 classes without unlabelled and bicycle" in means.note
    assert ("no pixel is labelled bicycle (bicycle found all the same, with an IoU of 0)" in means.note) == bool(absent)
    assert means.over == {"mIoU": "15 classes", "mAcc": "14 of 15 classes" if absent else "15 classes"}


def test_a_class_that_is_nowhere(fmb):
    counts = torch.eye(15, dtype=torch.int64)
    counts[13] = 0
    means = class_means(Counted(counts), fmb)
    assert means.values == {
        "mIoU/15 classes": pytest.approx(100 * 14 / 15),
        "mIoU/14 classes": pytest.approx(100 * 13 / 14),
        "mIoU/13 classes": pytest.approx(100),
    }
    assert means.over["mIoU"] == "14 of 15 classes"
    assert "mIoU is over 14 of 15 classes: no pixel is labelled bicycle (bicycle left out)" in means.note


def test_without_protocols_only_what_is_missing_is_said():
    scenes = SyntheticScenes(1)
    full = class_means(Counted(torch.ones(4, 4, dtype=torch.int64)), scenes)
    assert (full.values, full.note, full.over["mIoU"]) == ({}, "", "4 classes")
    counts = torch.diag(torch.tensor([3, 2, 1, 0]))
    assert class_means(Counted(counts), scenes).note == (
        "mIoU is over 3 of 4 classes: no pixel is labelled car (car left out)"
    )
    two = class_means(MultiEvaluator({"seg": Counted(counts), "weather": object()}), scenes)
    assert two.over == {"seg/mIoU": "3 of 4 classes", "seg/mAcc": "3 of 4 classes"}
    assert two.note.startswith("seg/mIoU is over 3 of 4 classes")
    assert class_means(object(), scenes).over == {}
    assert class_means(Counted(torch.zeros(4, 4, dtype=torch.int64)), scenes).over == {}


def test_another_number_of_classes_has_no_protocols(fmb):
    assert class_means(Counted(torch.eye(9, dtype=torch.int64)), fmb).values == {}


@pytest.mark.parametrize("framework", ["mmseg", "torchvision"])
def test_evaluators_count_as_their_frameworks_score(framework):
    """Over all classes that are seen, the counts give the framework's own mIoU."""
    pytest.importorskip(framework)
    generator = torch.Generator().manual_seed(0)
    truth, found = torch.randint(5, (2, 3, 16, 20), generator=generator)
    found = torch.where(found == 0, found, truth)
    truth[0, :4] = 255
    truth[truth == 3] = 2  # found, and never labelled
    if framework == "mmseg":
        from metaloss_mmseg.evaluator import SegmentationEvaluator
        from mmengine.structures import PixelData
        from mmseg.structures import SegDataSample

        evaluator = SegmentationEvaluator(tuple("abcdef"), 255)
        predictions = [SegDataSample(pred_sem_seg=PixelData(data=each[None])) for each in found]
    else:
        from metaloss_torchvision.evaluators import SegmentationEvaluator

        evaluator = SegmentationEvaluator(6)
        predictions = list(torch.nn.functional.one_hot(found, 6).permute(0, 3, 1, 2).float())
    evaluator.update(predictions[:2], truth[:2])
    evaluator.update(predictions[2:], truth[2:])
    scores, counts = evaluator.compute(), evaluator.confusion()
    assert counts.sum() == (truth != 255).sum()
    assert mean_iou(counts, range(5)) == pytest.approx(scores["mIoU"], abs=0.006)
    assert scores["aAcc"] == pytest.approx(100 * float(counts.trace() / counts.sum()), abs=0.006)
    assert not math.isnan(scores["mAcc"])
    means = class_means(evaluator, [])
    assert means.over == {"mIoU": "5 of 6 classes", "mAcc": "4 of 6 classes"}
    assert "no pixel is labelled 3, 5 (3 found all the same, with an IoU of 0; 5 left out)" in means.note
