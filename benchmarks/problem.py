"""The bilevel problem that every way of taking the meta-gradient is given, from fixed seeds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

import metaloss
from benchmarks import straightforward
from metaloss.networks import LossGenerator, ReFusionNet

INNER_LR = 1e-4
CLASSES = 4


@dataclass(frozen=True, kw_only=True)
class Case:
    """What one worker process measures.

    Attributes:
        way: a name in ``ways.WAYS``.
        size: height and width of the images, pixels.
        batch: images per batch.
        steps: K, the number of inner steps.
        sources: the number of source images.
        dtype: ``"float32"`` or ``"float64"``.
        threads: of the processor.
        options: keyword arguments of ``MetaLearner``, as pairs.
    """

    way: str
    size: int
    batch: int = 2
    steps: int = 1
    sources: int = 2
    dtype: str = "float32"
    threads: int = 1
    options: tuple[tuple[str, Any], ...] = ()

    @staticmethod
    def from_json(values: dict[str, Any]) -> Case:
        """Reads what ``dataclasses.asdict`` and ``json`` made of a case."""
        return Case(**{**values, "options": tuple((name, value) for name, value in values["options"])})


@dataclass(frozen=True)
class Problem:
    """F, L_f with G, T and the two batches."""

    case: Case
    fusion: nn.Module
    loss: metaloss.LearnableFusionLoss
    task: metaloss.ModuleTask
    train: metaloss.FusionBatch
    test: metaloss.FusionBatch


def device() -> torch.device:
    """The GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def make_problem(case: Case, *, published: bool = False) -> Problem:
    """Builds the networks and batches of a case.

    Args:
        case: sizes and counts.
        published: whether F and G are the straightforward ones; the weights are the same.
    """
    torch.manual_seed(0)
    where, dtype = device(), getattr(torch, case.dtype)
    segmenter = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, CLASSES, 3, padding=1))
    task = metaloss.ModuleTask(segmenter, nn.functional.cross_entropy).to(where, dtype)
    fusion = ReFusionNet(case.sources).to(where, dtype)
    generator = LossGenerator(case.sources).to(where, dtype)
    if published:
        fusion, generator = straightforward.like(fusion), straightforward.like(generator)
    train, test = (make_batch(case, seed) for seed in (0, 1))
    return Problem(case, fusion, metaloss.LearnableFusionLoss(generator), task, train, test)


def make_batch(case: Case, seed: int) -> metaloss.FusionBatch:
    """Random images and class ids; those of a seed are the same in either precision."""
    generator = torch.Generator().manual_seed(seed)
    shape = (case.batch, 1, case.size, case.size)
    sources = tuple(torch.rand(shape, generator=generator) for _ in range(case.sources))
    target = torch.randint(0, CLASSES, (case.batch, case.size, case.size), generator=generator)
    return metaloss.FusionBatch(sources, target).to(device(), getattr(torch, case.dtype))
