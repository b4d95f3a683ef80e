"""Trains a fusion network with a learned or a uniform loss, and says where the weights lay after every epoch."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import PolynomialLR

from benchmarks.evidence.crops import Crops
from benchmarks.evidence.peers import published_network
from benchmarks.evidence.plain_generator import PlainGenerator
from benchmarks.evidence.problems import Problem, Scene, load
from benchmarks.evidence.settings import Settings
from benchmarks.evidence.tasks import seeded
from examples.small_networks import SmallFusion, SmallGenerator
from metaloss import LearnableFusionLoss, MetaLearner
from metaloss.runtime import files
from metaloss.training.checkpoint import content_of
from metaloss.training.folder import newest

GENERATORS = {"levelled": SmallGenerator, "plain": PlainGenerator}


def train(settings: Settings, folder: Path) -> nn.Module:
    """Trains, from the newest checkpoint in the folder where there is one.

    Returns:
        The fusion network, in evaluation mode.
    """
    problem = load(settings.data)
    learner = make_learner(settings, problem)
    crops = Crops(problem.train, settings.crops, problem.crop, settings.seed)
    torch.manual_seed(settings.seed)  # the learner takes the order of the crops from here
    if newest(folder) is None:
        folder.mkdir(parents=True, exist_ok=True)
        files.save(folder / "epoch_0.pth", content_of(learner))
    learner.fit(
        crops,
        epochs=settings.epochs,
        meta_steps=settings.meta_steps,
        warmup_epochs=settings.warmup,
        batch_size=2,
        exchange=False,
        work_dir=folder,
        resume=True,
        keep=None,
        schedule=settings.schedule,
    )
    return learner.fusion.eval()


def make_learner(settings: Settings, problem: Problem) -> MetaLearner:
    """Builds networks and optimizers; F and T start alike with learned and with uniform weights."""
    count = len(problem.sources)
    fusion, task = seeded(lambda: _fusion(settings.fusion, count), settings.seed), seeded(problem.task, settings.seed)
    kind = GENERATORS[settings.generator]
    outputs = {"outputs": ("intensity", "gradient")} if settings.gradient == "learned" else {}
    generator = seeded(lambda: kind(count, **outputs), settings.seed) if settings.weights == "learned" else None
    loss = LearnableFusionLoss(generator, alpha=settings.alpha, weights=settings.weights, gradient=settings.gradient)
    summed = settings.fusion == "weighted_sum"
    rule = torch.optim.SGD if settings.outer_update == "max_normalised_sgd" else torch.optim.Adam
    loss_optimizer = rule(generator.parameters(), lr=settings.loss_lr) if generator is not None else None
    schedulers = []
    if settings.loss_decay and loss_optimizer is not None:
        schedulers = [PolynomialLR(loss_optimizer, total_iters=settings.epochs - settings.warmup, power=2.0)]
    return MetaLearner(
        fusion=settings.fusion if summed else fusion,
        loss=loss,
        task=task,
        hypergradient="auto" if summed or settings.inner_update == "image" else "forward",
        inner_update=settings.inner_update,
        inner_lr=settings.inner_lr,
        fusion_optimizer=None if summed else torch.optim.Adam(fusion.parameters(), lr=settings.lr),
        task_optimizer=torch.optim.Adam(task.parameters(), lr=settings.task_lr),
        loss_optimizer=loss_optimizer,
        schedulers=schedulers,
        outer_update=settings.outer_update,
    )


def _fusion(name: str, count: int) -> nn.Module:
    return SmallFusion(count) if name in ("small", "weighted_sum") else published_network(name)


def weight_history(settings: Settings, folder: Path) -> list[dict[str, float]]:
    """Mean weights on the test scenes before training and after each epoch, from the checkpoints.

    Returns:
        For each epoch ``"epoch"``, each source's mean under its name, and ``"SOURCE on REGION"`` and
        ``"SOURCE off REGION"``, inside and outside the objects.
    """
    problem = load(settings.data)
    files = [folder / f"epoch_{epoch}.pth" for epoch in range(settings.epochs + 1)]
    return [{"epoch": epoch, **region_means(problem, generator_at(settings, file))} for epoch, file in enumerate(files)]


def generator_at(settings: Settings, file: Path) -> nn.Module:
    """The loss generator of a checkpoint."""
    learner = make_learner(settings, load(settings.data))
    learner.loss.load_state_dict(files.load(file)["loss"])
    return learner.loss.generator.eval()


def fusion_at(settings: Settings, file: Path) -> nn.Module:
    """The fusion network of a checkpoint."""
    learner = make_learner(settings, load(settings.data))
    learner.fusion.load_state_dict(files.load(file)["fusion"])
    return learner.fusion.eval()


def region_means(problem: Problem, generator: nn.Module) -> dict[str, float]:
    """Each source's mean weight, in all and inside and outside the objects of each kind, over all test pixels."""
    parts: dict[str, list[Tensor]] = {}
    for scene in problem.scored:
        weights = propose(generator, scene)
        for source, weight in zip(problem.sources, weights, strict=True):
            parts.setdefault(source, []).append(weight.flatten())
            for name, mask in problem.regions(scene).items():
                parts.setdefault(f"{source} on {name}", []).append(weight[mask])
                parts.setdefault(f"{source} off {name}", []).append(weight[~mask])
    return {key: float(torch.cat(found).double().mean()) for key, found in parts.items()}


def propose(generator: nn.Module, scene: Scene) -> Tensor:
    """A scene's intensity weights (n, H, W)."""
    with torch.no_grad():
        found = generator(*(source.unsqueeze(0) for source in scene["sources"]))
    return (found["intensity"] if isinstance(found, dict) else found)[0]
