"""What the task asks of the fusion loss, before hours of training: how one-sided it is, and where it points."""

from __future__ import annotations

import copy
import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import NamedTuple

import torch
from torch import Tensor

from metaloss.batch import FusionBatch
from metaloss.data.regions import class_name, regions_of
from metaloss.errors import ConfigError
from metaloss.hypergradient.random_state import RandomState, own_generators
from metaloss.runtime.processes import world_size
from metaloss.tasks.base import is_labelled
from metaloss.training import checks
from metaloss.training.meta import method_of
from metaloss.training.signal_map import SignalMap, map_of
from metaloss.training.trained import Trained

Pair = tuple[FusionBatch, FusionBatch]
ELSEWHERE = "elsewhere"


class Asked(NamedTuple):
    """A mean over pairs of batches.

    Attributes:
        mean: how much weight is asked for, in units of the maps' mean size.
        t: the mean in standard errors over the pairs; not a number for one.
        pairs: how many pairs show the region.
    """

    mean: float
    t: float
    pairs: int

    @staticmethod
    def of(values: Sequence[float]) -> Asked:
        """Takes the mean of one value per pair."""
        mean = statistics.fmean(values)
        if len(values) < 2:
            return Asked(mean, math.nan, len(values))
        error = statistics.stdev(values) / math.sqrt(len(values))
        return Asked(mean, mean / error if error else math.copysign(math.inf, mean), len(values))


@dataclass(frozen=True)
class Signal:
    """What some meta steps ask of the loss.

    Attributes:
        one_sided: the mean over pairs of ``abs(mean(u)) / mean(abs(u))``: 1 where all pixels should become brighter, or
            all darker, and near 0 where the task's wish arrives whole.
        agreement: the mean cosine between the meta-gradients of two pairs; not a number for one pair.
        regions: by class and by source what is asked for; ``"elsewhere"`` is outside all boxes. Where several tasks
            have regions, classes are ``"TASK NUMBER"``.
        maps: of each pair.
    """

    one_sided: float
    agreement: float
    regions: dict[str, dict[str, Asked]]
    maps: tuple[SignalMap, ...]

    @staticmethod
    def of(
        maps: Iterable[SignalMap], sources: Sequence[str] = (), classes: Sequence[str] = (), ignore: int = 255
    ) -> Signal:
        """Sums up maps; the arguments are those of :func:`signal`.

        Raises:
            ConfigError: another number of names than of sources.
        """
        maps = tuple(maps)
        count = maps[0].asked.shape[1]
        names = sources or [str(number) for number in range(count)]
        if len(names) != count:
            raise ConfigError(f"signal: {len(names)} names ({', '.join(names)}) for {count} sources")
        sides = [float(each.wishes.mean().abs() / each.wishes.abs().mean()) for each in maps]
        found = _by_region(maps, classes, ignore)
        regions = {
            name: {source: Asked.of([float(values[k]) for values in parts]) for k, source in enumerate(names)}
            for name, parts in found.items()
        }
        return Signal(statistics.fmean(sides), _agreement([each.gradient for each in maps]), regions, maps)


def signal(
    learner: Trained,
    pairs: Iterable[Pair],
    sources: Sequence[str] = (),
    classes: Sequence[str] = (),
    ignore: int = 255,
    *,
    inner_update: str | None = None,
) -> Signal:
    """Finds out what the task asks of the fusion loss, at the networks' present weights.

    Nothing changes: networks, optimizers, random generators and the next meta-gradient are as they were. The fusion
    loss sees the task's view here, so that labels and maps lie over each other. Pairs without a label to learn from are
    left out, as in training.

    Args:
        learner: of any inner update and any hypergradient method.
        pairs: meta-train and meta-test batches; a dozen gives usable t values.
        sources: names; default their numbers.
        classes: names by class id; default their numbers.
        ignore: the class id that stands for "no class".
        inner_update: ``"network"`` or ``"image"``, to ask under that one; default: the learner's own. The other one is
            taken with its default settings.

    Returns:
        How one-sided the wishes are, how far they agree, and which source each class asks for, with the maps.

    Raises:
        ConfigError: no pairs, or none with labels; a weighted sum, which has no fusion loss; an inner update that the
            learner's settings refuse; or a loss that does not return its weights.
        MetaGradientError: there is nothing to learn, or what comes out is not finite.

    Examples:
        >>> import torch
        >>> import metaloss
        >>> from metaloss.data import Episodes, SyntheticScenes
        >>> scenes = SyntheticScenes(4, size=32)
        >>> learner = metaloss.MetaLearner(
        ...     fusion=metaloss.Concatenated(torch.nn.Conv2d(2, 1, 3, padding=1)),
        ...     loss=metaloss.LearnableFusionLoss(),
        ...     task=metaloss.ModuleTask(torch.nn.Conv2d(1, 4, 3, padding=1), torch.nn.functional.cross_entropy),
        ... )
        >>> found = learner.signal(Episodes(dataset=scenes, meta_steps=2).meta(0), ("ir", "vi"), scenes.classes)
        >>> 0 <= found.one_sided <= 1
        True
        >>> found.regions["background"]["ir"].pairs
        2
    """
    check_signal(learner)
    asking, maps, given = _asking(learner, inner_update), [], 0
    checks.check_learnable(learner.fusion if asking.settings["inner_update"] == "network" else None, learner.loss)
    random = RandomState.now(own_generators(learner.fusion, learner.loss, learner.task))
    try:
        for pair in pairs:
            given += 1
            train, test = (replace(batch, fusion_view=None) for batch in pair)
            if is_labelled(learner.task, test):
                maps.append(map_of(asking, train, test))
                asking._meta.count += 1
    finally:
        random.restore()
    if not maps:
        raise ConfigError(f"signal: no pairs of batches were given{f' with labels, of {given}' if given else ''}")
    return Signal.of(maps, sources, classes, ignore)


def check_signal(learner: Trained) -> None:
    """Checks what any inner update needs.

    Raises:
        ConfigError: several processes, or a weighted sum, which has no fusion loss.
        MetaGradientError: the loss has nothing to learn, or gradients cannot be recorded.
    """
    if world_size() > 1:
        raise ConfigError(f"signal: {world_size()} processes, which would mix their maps: run it in one")
    if learner.weighted_sum:
        raise ConfigError("signal: with fusion='weighted_sum' there is no fusion loss that could hear the task")
    checks.check_recording()
    checks.check_learnable(None, learner.loss)


def _asking(learner: Trained, inner_update: str | None) -> Trained:
    """The learner under an inner update: the same networks and optimizers, with a count and a method of its own."""
    asking, own = copy.copy(learner), learner.settings["inner_update"]
    if inner_update in (None, own):
        asking._meta = replace(learner._meta, method=copy.copy(learner.method))
        return asking
    asking.settings = {**learner.settings, "inner_update": inner_update}
    asking._meta = replace(learner._meta, method=method_of("auto", learner._variant, str(inner_update), None), count=0)
    return asking


def _agreement(gradients: Sequence[Tensor]) -> float:
    """The mean cosine between two of some vectors."""
    unit = [gradient / gradient.norm() for gradient in gradients]
    cosines = [float(one @ other) for one, other in combinations(unit, 2)]
    return statistics.fmean(cosines) if cosines else math.nan


def _by_region(maps: Sequence[SignalMap], classes: Sequence[str], ignore: int) -> dict[str, list[Tensor]]:
    """By class and pair what each source is asked for, the mean over the class's pixels (n,)."""
    found: dict[tuple[str, int], list[Tensor]] = {}
    outside: list[Tensor] = []
    for each in maps:
        pixels: dict[tuple[str, int], list[Tensor]] = {}
        rest: list[Tensor] = []
        for scene, asked in enumerate(each.asked):
            regions = list(regions_of(each.batch.target, scene, asked.shape[-2:], ignore, asked.device))
            for region in regions:
                pixels.setdefault((region.task, region.number), []).append(asked[:, region.on])
            if regions:
                rest.append(asked[:, torch.stack([region.off for region in regions]).all(0)])
        for kind, parts in pixels.items():
            found.setdefault(kind, []).extend(_mean(parts))
        outside += _mean(rest)
    several = len({task for task, _ in found}) > 1  # class 1 of one task is not class 1 of another, and has its name
    named = {
        f"{task} {number}" if several else class_name(number, classes): found[task, number]
        for task, number in sorted(found)
        if found[task, number]
    }
    return {**named, ELSEWHERE: outside} if outside else named


def _mean(parts: Sequence[Tensor]) -> list[Tensor]:
    """The mean over all pixels (n, P) of some parts, where there are any."""
    if not sum(part.shape[1] for part in parts):
        return []
    return [torch.cat(list(parts), dim=1).double().mean(1).cpu()]
