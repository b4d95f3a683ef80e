"""Looks at everything in a data set that a training would refuse, and at what is to be doubted."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from metaloss.data.audit.fault import Fault
from metaloss.data.audit.look import Look, Progress, look_at_all
from metaloss.data.audit.opened import Lenient
from metaloss.data.audit.twins import find_twins
from metaloss.data.checks import check_scene
from metaloss.data.dataset import PairedDataset
from metaloss.data.label_checks import absent, doubts_of_label, judge, too_small, what_is_left_out
from metaloss.data.narrow import CURE, narrow_sources
from metaloss.data.pairing import Pair
from metaloss.errors import DataError


@dataclass(frozen=True)
class Split:
    """The scenes of a split, or of one of several folders of it.

    Attributes:
        name: of the split.
        dataset: the scenes.
        looks: what is seen of each.
    """

    name: str
    dataset: PairedDataset
    looks: list[Look]

    @property
    def unit(self) -> str:
        """What is counted of a class: pixels or boxes."""
        return "boxes" if self.dataset.annotations is not None else "pixels"

    def counts(self) -> tuple[Counter[int], Counter[int]]:
        """Pixels or boxes of each class, and scenes that have some."""
        amounts, scenes = Counter[int](), Counter[int]()
        for look in self.looks:
            if look.facts is not None:
                amounts.update(look.facts.counts)
                scenes.update(look.facts.counts.keys())
        return amounts, scenes

    def sizes(self) -> list[Counter[tuple[int, int]]]:
        """How many images of each source have a size (W, H)."""
        count = len(self.dataset.readings)
        seen = [look.sizes for look in self.looks if len(look.sizes) == count]
        return [Counter(sizes[place] for sizes in seen) for place in range(count)]


@dataclass(frozen=True)
class Audit:
    """What was found of a data set.

    Attributes:
        splits: what could be looked at.
        faults: errors first.
    """

    splits: list[Split] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    @property
    def status(self) -> int:
        """0 where all is right, 1 where something is to be doubted, 2 where a training would refuse something."""
        levels = {fault.level for fault in self.faults}
        return 2 if "error" in levels else 1 if levels else 0


def audit(
    datasets: Mapping[str, Sequence[PairedDataset]],
    faults: Sequence[Fault],
    progress: Progress = lambda: None,
    crop: tuple[int, int] | None = None,
    task_size: tuple[int, int] | None = None,
) -> Audit:
    """Looks at the scenes of all splits.

    Args:
        datasets: by split, as :func:`metaloss.data.audit.open_leniently` gives them.
        faults: what was found as they were opened.
        progress: called after each scene.
        crop: (h, w) that a training takes of each scene of the split ``"train"``, or ``None``.
        task_size: (H, W) that it resizes them to for the task, or ``None``.
    """
    splits = [
        Split(name, dataset, look_at_all(dataset, progress, task_size))
        for name, several in datasets.items()
        for dataset in several
    ]
    found = [fault for split in splits for fault in (*_of_scenes(split), *_of_labels(split), *_of_sources(split))]
    if crop is not None:
        found += [fault for split in splits if split.name == "train" for fault in _too_small(split, crop)]
    for one, other in combinations(splits, 2):
        if one.name != other.name and one.dataset.sources == other.dataset.sources:
            found += _of_both(one, other)
    told = {fault.says for fault in found}
    found += [fault for fault in faults if fault.says not in told]
    found = list(dict.fromkeys(found))
    return Audit(splits, sorted(found, key=lambda fault: (fault.level != "error", fault.kind)))


def _of_scenes(split: Split) -> Iterator[Fault]:
    for pair, look in zip(split.dataset.pairs, split.looks, strict=True):
        for file, problem in look.problems.items():
            of_source = file in pair.sources
            read = bool(look.sizes) if of_source else look.facts is not None
            kind = "size" if read else "image" if of_source else "label"
            yield Fault.of("error", kind, problem, file)
    if isinstance(split.dataset, Lenient):
        for pair in split.dataset.aside:
            found, _ = check_scene(pair, None, split.dataset.choice, split.dataset.readings)
            yield from (Fault.of("error", "image", problem, file) for file, problem in found.problems.items())


def _too_small(split: Split, crop: tuple[int, int]) -> Iterator[Fault]:
    height, width = crop
    for pair, look in zip(split.dataset.pairs, split.looks, strict=True):
        across, down = look.sizes[pair.size_of or 0] if look.sizes else (width, height)
        if across < width or down < height:
            size = f"{across}x{down}"
            says = f"{size} pixels: a crop of {width}x{height} (crop_size) does not fit: give a smaller one"
            yield Fault("error", "crop", str(pair.sources[0]), says)


def _of_labels(split: Split) -> Iterator[Fault]:
    choice = split.dataset.choice
    facts = [look.facts for look in split.looks if look.facts is not None]
    try:
        judge(facts, choice)
    except DataError as error:
        yield Fault.of("error", "label", error)
    for each in facts:
        for kind, says in doubts_of_label(each, choice).items():
            yield Fault.of("doubt", kind, says, each.where)
    if left_out := what_is_left_out(facts, choice):
        yield Fault.of("doubt", "left out", left_out)
    yield from (Fault.of("doubt", "too small", says) for says in too_small(facts))
    yield from (Fault.of("doubt", "absent class", says) for says in absent(facts, choice))


def _of_sources(split: Split) -> Iterator[Fault]:
    for narrow in narrow_sources(split.dataset.pairs, split.dataset.readings):
        yield Fault.of("doubt", "narrow range", narrow.say(CURE), narrow.uses[0].file)
    for pair, look in zip(split.dataset.pairs, split.looks, strict=True):
        for file in look.flat:
            yield Fault(
                "doubt", "flat image", str(file), "all of its pixels are alike: export it again, or leave it out"
            )
        for file, pixels in look.apart.items():
            says = (
                f"looks unregistered to {pair.sources[0]}: their edges match best about {pixels:.0f} pixels apart; "
                "register the images first, or ghosts appear"
            )
            yield Fault("doubt", "unregistered", str(file), says)


def _of_both(one: Split, other: Split) -> Iterator[Fault]:
    """Scenes that are in two splits, as the same files or as nearly the same pictures."""
    known = {_place(pair): pair for pair in one.dataset.pairs}
    shared = {_place(pair) for pair in other.dataset.pairs} & known.keys()
    for pair in other.dataset.pairs:
        if _place(pair) in shared:
            says = f"the scene {pair.name!r} is in {one.name} and in {other.name}: take it out of one of them"
            yield Fault("doubt", "in both splits", str(pair.sources[0]), says)
    for first, second, differ, bits in find_twins(_bits(one, shared), _bits(other, shared)):
        mine, yours = one.dataset.pairs[first].sources[0], other.dataset.pairs[second].sources[0]
        says = (
            f"in {other.name}, looks like {mine} in {one.name} ({differ} of {bits} bits of their difference hashes "
            "differ): scores on scenes that were trained on are too good; keep neighbouring frames in one split"
        )
        yield Fault("doubt", "near duplicate", str(yours), says)


def _bits(split: Split, shared: set[str]) -> list[bytes | None]:
    return [
        None if _place(pair) in shared else look.bits
        for pair, look in zip(split.dataset.pairs, split.looks, strict=True)
    ]


def _place(pair: Pair) -> str:
    return os.path.realpath(pair.sources[0])
