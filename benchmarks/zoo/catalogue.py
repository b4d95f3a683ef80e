"""The models to try: one per folder, family or module of a framework's zoo, the smallest of each."""

from __future__ import annotations

import importlib.util
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

# what a model learns from when it is not what its framework's adapter gives; the first that fits, by its name
_OTHER = {
    "video": r"bytetrack|sort/|qdtrack|masktrack|2former_vis|^reid/|ocsort",
    "text": r"glip|grounding_dino|world|yoloe",
    "masks": r"mask|ms-rcnn|instance|htc|solo|condinst|boxinst|yolact|point_rend|point-rend|panoptic|queryinst|scnet"
    r"|rtmdet-ins|-seg[.-]|-sem\.yaml",
    "proposals": r"(^|/)fast-rcnn|libra-fast-rcnn|(^|[/_-])rpn_|ga-rpn|crpn_.*rpn|cascade-rpn",
    "lanes": r"clrnet",
    "a teacher": r"(^|/)(ld|lad)_",
    "unlabelled images": r"soft_teacher",
    "images of Detectron2's": r"/d2_",
    "poses": r"-pose|keypoint",
    "turned boxes": r"-obb",
    "depths": r"-depth",
    "whole images": r"-cls",
}
# how large a word of a name says that the model is; the others are 0
_SIZES = {
    **dict.fromkeys(("test", "atto", "femto", "pico", "zepto"), -4),
    **dict.fromkeys(("nano", "n", "micro", "xxs", "tiny", "t"), -3),
    **dict.fromkeys(("xs", "mini", "lite"), -2),
    **dict.fromkeys(("small", "s"), -1),
    "m": 1,
    **dict.fromkeys(("base", "b", "swinb", "swin-b"), 2),
    **dict.fromkeys(("large", "l", "swinl", "x", "xl", "huge", "giant"), 3),
}


@dataclass(frozen=True)
class Model:
    """A model to try.

    Attributes:
        task: of ``metaloss.build_task``: ``"mmdet"``.
        group: its folder, family or module.
        name: as the framework names it.
        arguments: for ``build_task``, besides ``num_classes``.
        target: what the adapter gives: ``"boxes"``, ``"classes of pixels"``, ``"classes of images"``.
        classes: how many it is to tell apart.
    """

    task: str
    group: str
    name: str
    target: str
    arguments: dict[str, Any] = field(hash=False)
    classes: int = 3

    @property
    def other(self) -> str:
        """What else it learns from by its name, or an empty string: it may be refused for that."""
        known = _OTHER if self.target == "boxes" else {}
        return next((what for what, form in known.items() if re.search(form, self.name)), "")


def size_order(name: str) -> tuple[float, ...]:
    """Sorts names of models by how small they seem: by words, then by the numbers in them, then by length."""
    words = re.split(r"[-_./]", name.lower())
    sizes = [_SIZES[word] for word in words if word in _SIZES]
    depths = (re.fullmatch(r"[a-z]+(\d{1,3})[a-z]?", word) for word in words)
    depth = next((int(depth[1]) for depth in depths if depth), 0)
    return (max(sizes) if max(sizes, default=0) > 0 else min(sizes, default=0), depth, len(name))


def openmmlab(task: str, target: str) -> list[Model]:
    """One config per folder of MMDetection's or MMSegmentation's; those that learn what the adapter gives first.

    ``_base_`` and ``common`` hold no models.
    """
    root = _folder(task) / ".mim" / "configs"
    chosen = []
    for folder in sorted(each for each in root.iterdir() if each.is_dir() and each.name not in ("_base_", "common")):
        models = [
            Model(
                task,
                folder.name,
                f"{folder.name}/{file.name}",
                target,
                {"config": f"{task}::{folder.name}/{file.name}"},
            )
            for file in sorted(folder.glob("*.py"))
            if not file.stem.endswith("_tta") and "levir" not in file.stem  # settings of tests; changes between images
        ]
        if models:
            smallest = min(models, key=lambda model: (bool(model.other), size_order(model.name)))
            # CrowdDet tells one class from the background
            chosen.append(replace(smallest, classes=1) if folder.name == "crowddet" else smallest)
    return chosen


def ultralytics() -> list[Model]:
    """One model of every file of ultralytics', the smallest scale of each; of files by size, the smallest."""
    families: dict[str, list[str]] = defaultdict(list)
    for file in sorted((_folder("ultralytics") / "cfg" / "models").glob("*/*.yaml")):
        scales = re.search(r"^scales:.*\n(?:\s*#.*\n)*\s+(\w+):", file.read_text(encoding="utf-8"), re.MULTILINE)
        # a scale is a letter in the name of a file that has it not: yolov8-p2.yaml at its smallest is yolov8n-p2
        name = re.sub(r"^(yoloe?-?v?\d+)(?=-|$)", rf"\1{scales[1]}", file.stem) if scales else file.stem
        families[re.sub(r"^(yolov(?:9|10))[a-z]|^(rtdetr)-[lx]$", r"\1\2", file.stem)].append(name)
    return [
        Model("ultralytics", family, f"{name}.yaml", "boxes", {"model": f"{name}.yaml"})
        for family, name in ((family, min(names, key=_letter)) for family, names in families.items())
    ]


def _letter(name: str) -> int:
    """Sorts names that differ in the letter of their scale."""
    size = re.search(r"\d([tnslmbcxe])\b|-([lx])$", name)
    return "tnslmbcxe".index(size[1] or size[2]) if size else 0


def timm() -> list[Model]:
    """The smallest model of every module of timm's."""
    import timm

    chosen = []
    for module in timm.list_modules():
        names = timm.list_models(module=module)
        if names:
            name = min(names, key=size_order)
            chosen.append(Model("timm", module, name, "classes of images", {"model": name}))
    return chosen


def torchvision() -> list[Model]:
    """All of torchvision's builders of segmentation networks and of detectors."""
    from torchvision import models

    return [
        Model("torchvision", part.__name__.rpartition(".")[2], name, target, {"model": name})
        for part, target in ((models.segmentation, "classes of pixels"), (models.detection, "boxes"))
        for name in models.list_models(module=part)
    ]


ZOOS: dict[str, Callable[[], Iterable[Model]]] = {
    "mmseg": lambda: openmmlab("mmseg", "classes of pixels"),
    "mmdet": lambda: openmmlab("mmdet", "boxes"),
    "ultralytics": ultralytics,
    "timm": timm,
    "torchvision": torchvision,
}


def _folder(module: str) -> Path:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise SystemExit(f"{module} is not installed: pip install 'metaloss[{module}]'")
    return Path(spec.origin).parent
