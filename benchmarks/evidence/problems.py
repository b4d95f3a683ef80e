"""The problems: scenes, a task, and where in a scene its objects are."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.evidence.tasks import Detection, Segmentation
from metaloss.data import PairedDataset, SyntheticScenes
from metaloss.data.views import Size, resize_item
from metaloss.errors import DataError
from metaloss.tasks import TaskAdapter

DATA = Path(os.environ.get("METALOSS_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
Scene = dict[str, Any]


@dataclass(frozen=True)
class Problem:
    """Scenes and what is asked of them.

    Attributes:
        sources: the names of the sources.
        train: scenes to learn from.
        test: groups of scenes to score on, by name; the name of an only group is empty.
        task: makes a fresh task network.
        regions: masks (H, W) of a scene's objects by name.
        crop: (h, w) of what a step sees of a scene, or ``None`` for all of it.
        budget: settings in which its trainings differ from the others'.
        published: folders of images that others have fused of the same scenes, by row.
    """

    sources: tuple[str, ...]
    train: list[Scene]
    test: Mapping[str, list[Scene]]
    task: Callable[[], TaskAdapter]
    regions: Callable[[Scene], dict[str, Tensor]]
    crop: Size | None
    budget: Mapping[str, int] = field(default_factory=dict)
    published: Mapping[str, Path] = field(default_factory=dict)

    @property
    def scored(self) -> list[Scene]:
        """All test scenes."""
        return [scene for scenes in self.test.values() for scene in scenes]


def cwfid() -> Problem:
    """Crop and weed in near-infrared and red images of fields: plants are bright in the one and dark in the other."""
    train, test = (_resized(_folder("cwfid_seg", "label", split), (240, 324)) for split in ("train.txt", "test.txt"))
    return Problem(
        sources=("nir", "red"),
        train=train,
        test={"": test},
        task=lambda: Segmentation(("soil", "crop", "weed"), (1.0, 6.0, 4.0)),
        regions=lambda scene: {"plants": (scene["target"] > 0) & (scene["target"] < 255)},
        crop=(96, 96),
    )


def synthetic() -> Problem:
    """Procedural scenes: persons show in the infrared image alone, signs in the visible one, cars in both."""
    train, test = (SyntheticScenes(length, size=(96, 128), seed=seed) for length, seed in ((200, 0), (40, 2)))
    names = train.classes[1:]
    return Problem(
        sources=train.sources,
        train=list(train),
        test={"": list(test)},
        task=lambda: Segmentation(train.classes, (1.0, 4.0, 4.0, 4.0)),
        regions=lambda scene: {f"{name}s": scene["target"] == number for number, name in enumerate(names, 1)},
        crop=None,
    )


def msrs_large() -> Problem:
    """Persons, bicycles and cars in infrared and visible images of streets, day and night apart.

    Beside them the images that SeAFusion's authors published of the same scenes.
    """
    name = "msrs_det_large"
    train, test = (_resized(_folder(name, "labels", split), (240, 320)) for split in ("train.txt", "test.txt"))
    return Problem(
        sources=("ir", "vi"),
        train=train,
        test={
            group: [scene for scene in test if scene["names"].endswith(letter)]
            for group, letter in (("day", "D"), ("night", "N"))
        },
        task=lambda: Detection(("person", "bicycle", "car")),
        regions=_boxes,
        crop=(96, 128),
        budget={"warmup": 4, "crops": 400, "task_epochs": 10},
        published={"seafusion": DATA / name / "fused_seafusion"},
    )


PROBLEMS: dict[str, Callable[[], Problem]] = {
    "cwfid": cwfid,
    "synthetic": synthetic,
    "msrs_large": msrs_large,
}


@lru_cache(maxsize=1)
def load(name: str) -> Problem:
    """Reads a problem's scenes into memory; the last one is kept.

    Raises:
        DataError: its folder is missing, or what lies in it is not right.
    """
    return PROBLEMS[name]()


def _folder(name: str, target: str, split: str) -> PairedDataset:
    if not (DATA / name).is_dir():
        raise DataError(f"{DATA / name}: no such folder; METALOSS_DATA has to name the folder that holds {name}")
    return PairedDataset(DATA / name, target=target, split=split)


def _resized(dataset: PairedDataset, size: Size) -> list[Scene]:
    return [resize_item({**item, "chroma": None}, size) for item in dataset]


def _boxes(scene: Scene) -> dict[str, Tensor]:
    masks = {name: torch.zeros(scene["sources"][0].shape[-2:], dtype=torch.bool) for name in ("persons", "others")}
    for box, label in zip(scene["target"]["boxes"].round().int().tolist(), scene["target"]["labels"], strict=True):
        left, top, right, bottom = box
        masks["others" if label else "persons"][top:bottom, left:right] = True
    return masks
