"""What ``metaloss train`` keeps of each validation's pictures and weights, for trainings by ``fit``."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Dataset

from metaloss.data import collate, source_names, write_image
from metaloss.data.regions import names_of_classes
from metaloss.evaluation.pictures import Scene, file_name, strip
from metaloss.evaluation.regions import weights_by_region, without_tasks
from metaloss.evaluation.spread import add_moments, deviations
from metaloss.inference.fuse import fuse_any_size
from metaloss.runtime import files
from metaloss.runtime.modes import evaluating
from metaloss.runtime.processes import rank
from metaloss.training.epoch import Means
from metaloss.training.steps import weight_statistics
from metaloss.training.trained import Trained


class Watch:
    """A callback of ``fit`` that looks at some scenes after each epoch, and changes nothing.

    It writes what a training by config does, so that ``metaloss report`` shows both alike: into
    ``WORK_DIR/DATE_TIME/vis_data/scalars.json`` the mean weights, in the whole and by class, and how far they lie
    apart; into ``vis_image/`` beside it sources, fused image and weight maps of the first scenes::

        learner.fit(scenes, epochs=9, meta_steps=99, work_dir=folder, callbacks=[Watch(held_out, folder)])

    Args:
        scenes: a data set, of scenes that are not trained on.
        work_dir: that ``fit`` is given.
        count: of how many scenes there are pictures.
    """

    def __init__(self, scenes: Dataset[Any], work_dir: str | Path, count: int = 4) -> None:
        self.scenes, self.count = scenes, count
        start = datetime.datetime.now().strftime("%Y%m%d_%H%M%S")
        self.folder = Path(work_dir, start, "vis_data")

    def __call__(self, learner: Trained, log: Mapping[str, Any]) -> None:
        """Looks at the scenes, in process 0."""
        if rank() > 0:
            return
        before = files.random_state()
        try:
            with evaluating(learner.fusion, learner.loss), torch.no_grad():
                self._look(learner, int(log["epoch"]))
        finally:
            files.restore_random_state(before)

    def _look(self, learner: Trained, epoch: int) -> None:
        means, moments = Means(), Means()
        device = next((param.device for param in learner.fusion.parameters()), torch.device("cpu"))
        total: int = len(self.scenes)  # type: ignore[arg-type]
        for number in range(total):
            batch = collate([self.scenes[number]]).to(device)
            fused = fuse_any_size(learner.fusion, batch.sources)
            weights = learner.loss(fused, batch.sources).weights
            names = source_names(self.scenes, weights.shape[1]), *names_of_classes(self.scenes)
            means.add(weight_statistics(weights, None))
            for name, mean, pixels in weights_by_region(weights, batch.target, *names):
                means.add({name: mean}, pixels)
            add_moments(moments, weights, batch.target, *names)
            if number < self.count:
                chroma = None if batch.chroma is None else batch.chroma[0]
                shown = batch.names[0] if batch.names and batch.names[0] else str(number)
                sources = tuple(source[0].mean(0, keepdim=True) for source in batch.sources)
                scene = Scene(shown, sources, fused[0].mean(0, keepdim=True), weights[0], chroma)
                self._draw(scene, epoch)
        spread = {f"epoch/val/{name}": value for name, value in deviations(moments.read()).items()}
        lines = [{**spread, "step": epoch}, {**without_tasks(means.read()), "step": epoch}]
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "scalars.json").open("a") as file:
            file.writelines(json.dumps(line) + "\n" for line in lines)

    def _draw(self, scene: Scene, epoch: int) -> None:
        pixels = torch.from_numpy(strip(scene)).permute(2, 0, 1) / 255
        write_image(self.folder / "vis_image" / f"val_{file_name(scene.name)}_{epoch}.png", pixels)
