"""One method of `metaloss compare`: its images, what they measure, and what they cost."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from metaloss.cli.chosen_weights import ChosenWeights
from metaloss.cli.fuse_images import place
from metaloss.colour import luma
from metaloss.data import Pair, write_image
from metaloss.data.dataset import of_one_size
from metaloss.data.reading import Reading
from metaloss.evaluation.results import read_result, write_result
from metaloss.inference.cost import Cost, cost
from metaloss.inference.fuser import Fuser
from metaloss.metrics import evaluate as measure
from metaloss.metrics import get_convention
from metaloss.metrics.files import FusedFile
from metaloss.runtime.progress_bar import progress_bar


@dataclass(frozen=True)
class Method:
    """A fusion network under its name, and what it was loaded from."""

    name: str
    chosen: ChosenWeights
    network: nn.Module

    @property
    def identity(self) -> dict[str, str | None]:
        """Of the weights and of the network that was asked for: results of others are not taken up."""
        return {"weights": digest(self.chosen.files), "network": self.chosen.network}


def identity_of(pairs: Sequence[Pair], readings: Sequence[Reading]) -> str:
    """Of the sources: their names, what is in them, and how they are read."""
    listed = [(pair.size_of, [(path.name, digest([path])) for path in pair.sources]) for pair in pairs]
    return hashlib.sha256(repr((listed, list(map(str, readings)))).encode()).hexdigest()[:16]


def digest(files: Sequence[Path]) -> str:
    """Of what is in files, whose order does not count."""
    parts = sorted(hashlib.sha256(file.read_bytes()).digest() for file in files)
    return hashlib.sha256(b"".join(parts)).hexdigest()[:16]


def metrics_of(
    method: Method,
    pairs: Sequence[Pair],
    readings: Sequence[Reading],
    out: Path,
    settings: Mapping[str, Any],
    device: torch.device,
) -> dict[str, float]:
    """Fuses and measures what is not there yet; the means over the scenes."""
    results = out / "results" / f"{method.name}.json"
    values = read_result(results, settings) or {}
    fuser, folder = Fuser(method.network, device=device), out / "fused" / method.name
    names: list[str] = []
    with progress_bar(method.name, len(pairs)) as advance:
        for pair in pairs:
            done = [key for key in values if key.rpartition("/")[0] == pair.name]
            if not done or not place(pair, folder).is_file():
                write_image(place(pair, folder), fuser.fuse([images_of(pair, readings)])[0])
                found = _measured(pair, folder, readings, settings["convention"])
                values |= {f"{pair.name}/{name}": value for name, value in found.items()}
                write_result(results, settings, values)
            names = [key.rpartition("/")[2] for key in values if key.rpartition("/")[0] == pair.name]
            advance(pair.name)
    columns = {name: [values[f"{pair.name}/{name}"] for pair in pairs] for name in names}
    defined = {name: [value for value in column if value == value] for name, column in columns.items()}
    return {name: sum(column) / len(column) if column else float("nan") for name, column in defined.items()}


def _measured(pair: Pair, folder: Path, readings: Sequence[Reading], convention: str) -> dict[str, float]:
    """What `metaloss evaluate` says of an image as it was written."""
    written = FusedFile(pair.name, (place(pair, folder), *pair.sources), pair.size_of)
    fused, sources = written.read((Reading(), *readings), get_convention(convention).colour)
    return {name: float(value) for name, value in measure(fused, sources, convention=convention).items()}


def images_of(pair: Pair, readings: Sequence[Reading]) -> list[Tensor]:
    """The sources of a scene, each (1, H, W) or (3, H, W), of one size."""
    return of_one_size(pair, list(map(Reading.image, readings, pair.sources)))


def cost_of(
    method: Method,
    pair: Pair,
    readings: Sequence[Reading],
    out: Path,
    settings: Mapping[str, Any],
    device: torch.device,
) -> Cost:
    """Measured on the first scene, once."""
    path = out / "results" / "costs" / f"{method.name}.json"
    settings = {**method.identity, "sources": settings["sources"], "device": name_of_device(device)}
    known = read_result(path, settings)
    if known is None:
        images = [image if len(image) == 1 else luma(image) for image in images_of(pair, readings)]
        known = asdict(cost(method.network, [image.unsqueeze(0).to(device) for image in images]))
        write_result(path, settings, known)
    return Cost(int(known["parameters"]), int(known["multiply_adds"]), known["images_per_second"])


def name_of_device(device: torch.device) -> str:
    """What a network was timed on."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{torch.get_num_threads()} CPU thread{'s' * (torch.get_num_threads() != 1)}"
