"""What a training run is made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

VERSION = 3
"""Raise it with every change of what a run does that its settings do not show: older results are refused then."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One training of a fusion network, and the task network that then judges it.

    Attributes:
        data: the name of the problem.
        alpha: of the loss's gradient term.
        weights: ``"learned"``, or ``"uniform"`` (ablation I).
        seed: of the networks, of the crops and of their order.
        epochs: of the fusion network's training.
        warmup: the first epochs, without meta steps.
        meta_steps: in each epoch after those.
        crops: in each epoch, two to a step.
        lr: Adam's rate for F.
        task_lr: Adam's rate for T, and where the judging one's begins.
        generator: ``"levelled"``, the small loss generator of the examples, or ``"plain"``, see
            :mod:`benchmarks.evidence.plain_generator`.
        loss_lr: of the loss generator's update.
        loss_decay: whether that rate falls to zero, by the square of what is left of the training.
        outer_update: as of :class:`metaloss.MetaLearner`.
        inner_lr: of the inner updates.
        inner_update: as of :class:`metaloss.MetaLearner`.
        fusion: ``"small"``, five convolutions; ``"weighted_sum"`` (ablation V), the sources' sum with G's weights; or
            the name of a published network, which begins with its authors' weights.
        schedule: as of :meth:`metaloss.MetaLearner.fit`.
        gradient: the form of the loss's gradient term.
        task_epochs: of the judging task network's training.
    """

    data: str
    alpha: float
    weights: Literal["learned", "uniform"]
    seed: int
    epochs: int = 12
    warmup: int = 2
    meta_steps: int = 50
    crops: int = 200
    lr: float = 1e-3
    task_lr: float = 2e-3
    generator: Literal["levelled", "plain"] = "levelled"
    loss_lr: float = 1e-3
    loss_decay: bool = False
    outer_update: Literal["optimizer", "max_normalised_sgd"] = "optimizer"
    inner_lr: float = 1e-2
    inner_update: Literal["network", "image"] = "network"
    fusion: str = "small"
    schedule: Literal["phases", "interleaved"] = "phases"
    gradient: Literal["per_axis", "learned"] = "per_axis"
    task_epochs: int = 16
