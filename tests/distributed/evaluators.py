"""The adapters' evaluators, each process on its share of the scenes: run by test_evaluators.py.

``torchrun --standalone --nproc-per-node 2 evaluators.py FOLDER`` writes what each process computed.
"""

import json
import os
import sys
import warnings
from pathlib import Path

import mmengine.optim  # noqa: F401 - after the process group exists, torch's ZeRO optimizer that it imports keeps it
import torch
import torch.distributed as dist
from ending import end

from metaloss.runtime.processes import rank, world_size

SCENES, CLASSES, HEIGHT, WIDTH = 7, ("person", "bicycle", "car"), 48, 64


def scene(number):
    """Boxes, and predictions that hit some of them."""
    generator = torch.Generator().manual_seed(number)
    count = number % 4
    corners = torch.rand(count, 2, generator=generator) * torch.tensor([WIDTH / 2, HEIGHT / 2])
    boxes = torch.cat([corners, corners + 8 + 12 * torch.rand(count, 2, generator=generator)], 1)
    labels = torch.randint(3, (count,), generator=generator)
    shifted = boxes + 3 * torch.rand(count, 4, generator=generator)
    found = torch.cat([shifted, torch.tensor([[1.0, 1.0, 20.0, 20.0]])])
    scores = torch.rand(count + 1, generator=generator)
    guessed = torch.cat([labels, torch.tensor([number % 3])])
    return {"boxes": boxes, "labels": labels}, (found, scores, guessed)


def mmdet(numbers):
    from metaloss_mmdet.evaluator import DetectionEvaluator
    from mmdet.structures import DetDataSample
    from mmengine.structures import InstanceData

    evaluator = DetectionEvaluator(CLASSES)
    for number in numbers:
        truth, (boxes, scores, labels) = scene(number)
        sample = DetDataSample(metainfo={"ori_shape": (HEIGHT, WIDTH)})
        sample.pred_instances = InstanceData(bboxes=boxes, scores=scores, labels=labels)
        evaluator.update([sample], [truth])
    return evaluator


def ultralytics(numbers):
    from metaloss_ultralytics.evaluator import DetectionEvaluator
    from metaloss_ultralytics.framework import Results

    evaluator = DetectionEvaluator(CLASSES)
    image = torch.zeros(HEIGHT, WIDTH, 3, dtype=torch.uint8).numpy()
    for number in numbers:
        truth, (boxes, scores, labels) = scene(number)
        found = torch.cat([boxes, scores[:, None], labels[:, None]], 1)
        evaluator.update([Results(image, path="", names=dict(enumerate(CLASSES)), boxes=found)], [truth])
    return evaluator


def mmseg(numbers):
    from metaloss_mmseg.evaluator import SegmentationEvaluator
    from mmengine.structures import PixelData
    from mmseg.structures import SegDataSample

    evaluator = SegmentationEvaluator(CLASSES, 255)
    for number in numbers:
        generator = torch.Generator().manual_seed(number)
        truth, found = torch.randint(3, (2, HEIGHT, WIDTH), generator=generator)
        sample = SegDataSample()
        sample.pred_sem_seg = PixelData(data=torch.where(found == 0, found, truth)[None])
        evaluator.update([sample], truth[None])
    return evaluator


def timm(numbers):
    from metaloss_timm.evaluator import ClassificationEvaluator

    evaluator = ClassificationEvaluator(3)
    for number in numbers:
        evaluator.update([torch.rand(3, generator=torch.Generator().manual_seed(number))], torch.tensor([number % 3]))
    return evaluator


def torchvision(numbers):
    from metaloss_torchvision.evaluators import DetectionEvaluator

    evaluator = DetectionEvaluator(3)
    for number in numbers:
        truth, (boxes, scores, labels) = scene(number)
        evaluator.update([{"boxes": boxes, "scores": scores, "labels": labels}], [truth])
    return evaluator


def torchvision_segmentation(numbers):
    from metaloss_torchvision.evaluators import SegmentationEvaluator

    evaluator = SegmentationEvaluator(3)
    for number in numbers:
        generator = torch.Generator().manual_seed(number)
        truth, found = torch.randint(3, (2, HEIGHT, WIDTH), generator=generator)
        found = torch.where(found == 0, found, truth)
        evaluator.update([torch.nn.functional.one_hot(found, 3).permute(2, 0, 1).float()], truth[None])
    return evaluator


EVALUATORS = (mmdet, ultralytics, mmseg, timm, torchvision, torchvision_segmentation)


def main(folder):
    if "WORLD_SIZE" in os.environ:
        dist.init_process_group("gloo")
    warnings.simplefilter("ignore")
    own = range(rank(), SCENES, world_size())
    evaluators = {make.__name__: make(own) for make in EVALUATORS}
    found = {name: evaluator.compute() for name, evaluator in evaluators.items()}
    counts = {name: each.confusion().tolist() for name, each in evaluators.items() if hasattr(each, "confusion")}
    found["confusion"] = counts
    (folder / f"{world_size()}_{rank()}.json").write_text(json.dumps(found))
    if dist.is_initialized():
        end()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
