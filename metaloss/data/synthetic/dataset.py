"""The data set of procedural scenes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Dataset

from metaloss.colour import rgb_to_ycbcr
from metaloss.data.images import write_image
from metaloss.data.synthetic.cameras import draw_varied
from metaloss.data.synthetic.classes import CLASSES, CONDITIONS, OBJECTS, VISIBILITY
from metaloss.data.synthetic.scene import SyntheticScene, draw_scene
from metaloss.data.views import as_size
from metaloss.errors import ConfigError, nearest


class SyntheticScenes(Dataset[dict[str, Any]]):
    """A data set of procedural scenes; scene i depends on nothing but the seed, i and the size.

    An item is a dict with the keys of a ``FusionBatch``: ``sources``, infrared and visible luma, each
    (1, H, W) float32 in [0, 1]; ``chroma`` (2, H, W) in [-0.5, 0.5]; ``names``; and ``target``: class
    ids (H, W) int64 for segmentation; for detection a dict of ``boxes`` (N, 4) float32 xyxy in
    pixels and ``labels`` (N,) int64, where N may be 0; for classification the weather, 0-d int64; for
    several tasks a dict of these by task name.

    The last 128 scenes are kept and their items share tensors: nothing downstream writes into them.

    Args:
        length: the number of scenes, at least 1.
        size: height and width in pixels, each at least 32; one number for a square.
        seed: 0 or greater.
        split: ``"train"``, or ``"val"`` for other scenes of the same seed: those of ``seed + 1``.
        target: ``"segmentation"``, ``"detection"``, ``"classification"``; for several tasks a dict of these by
            task name; or ``None`` for items without labels.
        varied: each scene with cameras of its own: exposure, contrast, focus, noise, and what is hot white or black;
            default: the same two cameras for all.

    Attributes:
        sources: the names of the sources, ``("ir", "vi")``.
        classes: the names of the classes, none for several tasks; for segmentation ``"background"`` comes first.
        num_classes: 4 for segmentation, 3 for detection and classification.
        visibility: for each kind of object, the source that shows it: ``"ir"``, ``"vi"`` or ``"both"``.

    Raises:
        ConfigError: an argument is outside what is said above.

    Examples:
        >>> from metaloss.data import SyntheticScenes
        >>> scenes = SyntheticScenes(2, size=(48, 64))
        >>> item = scenes[0]
        >>> [tuple(source.shape) for source in item["sources"]], tuple(item["target"].shape)
        ([(1, 48, 64), (1, 48, 64)], (48, 64))
        >>> scenes.classes
        ('background', 'person', 'sign', 'car')
    """

    sources: tuple[str, ...] = ("ir", "vi")
    visibility = VISIBILITY

    def __init__(
        self,
        length: int,
        *,
        size: int | Sequence[int] = (96, 128),
        seed: int = 0,
        split: str = "train",
        target: str | Mapping[str, str] | None = "segmentation",
        varied: bool = False,
    ) -> None:
        if length < 1:
            raise ConfigError(f"length={length}: a data set has at least one scene")
        height, width = as_size(size) or (0, 0)
        if min(height, width) < 32:
            raise ConfigError(f"size={size}: height and width are at least 32 pixels")
        if seed < 0:
            raise ConfigError(f"seed={seed}: give 0 or a positive number")
        if split not in ("train", "val"):
            raise ConfigError(f"split={split!r}: give 'train' or 'val'")
        for kind in target.values() if isinstance(target, Mapping) else [target]:
            if kind not in CLASSES and not (kind is None and target is None):
                hint = nearest(str(kind), CLASSES)
                raise ConfigError(f"target={kind!r}: give one of {', '.join(map(repr, CLASSES))}, or None{hint}")
        self.length, self.size, self.target = length, (height, width), target
        self.seed, self.split, self.varied = seed, split, varied
        self.classes = () if isinstance(target, Mapping) else CLASSES[target or "segmentation"]
        self.num_classes = len(self.classes)

    @property
    def metainfo(self) -> dict[str, Any]:
        """What MMEngine's visualizers and evaluators ask of a data set: ``{"classes": classes}``."""
        return {"classes": self.classes}

    def __len__(self) -> int:
        """The number of scenes."""
        return self.length

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Draws one scene.

        Args:
            index: its number, from the end where negative.

        Returns:
            The item, as described for the class.

        Raises:
            IndexError: there is no such scene.
        """
        scene = self.scene(index)
        luma, chroma = rgb_to_ycbcr(scene.vi_rgb)
        name = f"{index % self.length:04d}_{scene.condition}"
        return {
            "sources": (scene.ir, luma.clamp(0, 1)),
            "target": self._target(scene),
            "chroma": chroma,
            "names": name,
        }

    def _target(self, scene: SyntheticScene) -> Any:
        targets: dict[str, Any] = {
            "segmentation": scene.mask,
            "detection": {"boxes": scene.boxes, "labels": scene.labels},
            "classification": torch.tensor(CONDITIONS.index(scene.condition)),
        }
        if isinstance(self.target, Mapping):
            return {name: targets[kind] for name, kind in self.target.items()}
        return None if self.target is None else targets[self.target]

    def scene(self, index: int) -> SyntheticScene:
        """Draws one scene with its whole ground truth.

        Args:
            index: its number, from the end where negative.

        Returns:
            The scene.

        Raises:
            IndexError: there is no such scene.
        """
        if not -self.length <= index < self.length:
            raise IndexError(f"scene {index} of {self.length}")
        draw = draw_varied if self.varied else draw_scene
        return draw(self.seed + (self.split == "val"), index % self.length, *self.size)


def write_scenes(root: str | os.PathLike[str], dataset: SyntheticScenes) -> None:
    """Writes the scenes as an example of the folder layout that a paired data set has.

    ``root/ir``, ``root/vi`` and ``root/label`` (class ids) get one PNG file per scene each;
    ``root/train.txt`` and ``root/test.txt`` list the scenes, the last fifth for the test;
    ``root/classes.txt`` names the classes of the label images.

    Args:
        root: the folder to write to; made where missing.
        dataset: the scenes, at least two.

    Raises:
        ConfigError: a single scene cannot be split.
        DataError: a file cannot be written.

    Examples:
        >>> from pathlib import Path
        >>> from metaloss.data import SyntheticScenes, write_scenes
        >>> write_scenes("scenes", SyntheticScenes(2, size=32))
        >>> sorted(path.name for path in Path("scenes").iterdir())
        ['classes.txt', 'ir', 'label', 'test.txt', 'train.txt', 'vi']
    """
    if len(dataset) < 2:
        raise ConfigError("1 scene cannot be split into train.txt and test.txt: give a longer data set")
    root = Path(root)
    names = []
    for index in range(len(dataset)):
        scene = dataset.scene(index)
        names.append(f"{index:04d}_{scene.condition}")
        write_image(root / "ir" / f"{names[-1]}.png", scene.ir)
        write_image(root / "vi" / f"{names[-1]}.png", scene.vi_rgb)
        write_image(root / "label" / f"{names[-1]}.png", scene.mask[None] / 255)
    test = max(1, len(names) // 5)
    for file, lines in (("train", names[:-test]), ("test", names[-test:]), ("classes", ("background", *OBJECTS))):
        (root / f"{file}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
