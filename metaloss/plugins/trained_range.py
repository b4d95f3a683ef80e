"""The range with which a checkpoint's training read each source, so that the network goes on seeing the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from metaloss.data.ranges import FULL, SourceRange, source_range
from metaloss.errors import CheckpointError, ConfigError


@dataclass(frozen=True)
class TrainedRange:
    """What a checkpoint says of it.

    Attributes:
        names: of the sources, in their order.
        ranges: of each; empty where several data sets were read with different ones.
    """

    names: tuple[str, ...]
    ranges: tuple[SourceRange, ...]

    def of_sources(self, names: Sequence[str]) -> tuple[SourceRange, ...]:
        """Gives the ranges of other sources: by name where they are called the same, else in their order.

        Raises:
            CheckpointError: there are several, and which of them is not known.
        """
        if len(self.names) == len(self.ranges) == len(set(names)) and set(names) == set(self.names):
            return tuple(self.ranges[self.names.index(name)] for name in names)
        if len(self.ranges) == len(names):
            return self.ranges
        if len(set(self.ranges)) == 1:
            return self.ranges[:1] * len(names)
        trained = f"{len(self.ranges)} sources with different ranges" if self.ranges else "data sets of several ranges"
        raise CheckpointError(f"was trained on {trained}, and {len(names)} sources are given: give --range")


def keep_range(network: nn.Module, content: Mapping[str, Any]) -> None:
    """Tells a network that comes from a checkpoint which range it was trained with, for :func:`trained_range`.

    Raises:
        CheckpointError: what the checkpoint says of it is no range.
    """
    ours = content.get("metaloss")
    data = ours.get("data") if isinstance(ours, Mapping) else None
    if not isinstance(data, Mapping) or "range" not in data:
        return
    names, given = data.get("sources"), data["range"]
    try:
        listed = [*given] if all(isinstance(each, str) for each in given) else []
        ranges = tuple(map(source_range, listed))
    except (ConfigError, TypeError) as error:
        raise CheckpointError(f"its range of the data cannot be read ({error})") from None
    named = tuple(map(str, names)) if isinstance(names, (list, tuple)) else ()
    network.metaloss_range = TrainedRange(named, ranges)  # type: ignore[assignment]


def trained_range(network: nn.Module, names: Sequence[str]) -> tuple[SourceRange, ...]:
    """The ranges with which a network's sources were read in training; full where that is not known.

    Args:
        network: as :func:`metaloss.plugins.load_fusion` gives it.
        names: of the sources that it is given.

    Raises:
        CheckpointError: as :meth:`TrainedRange.of_sources`.
    """
    known = getattr(network, "metaloss_range", None)
    return known.of_sources(names) if isinstance(known, TrainedRange) else (FULL,) * len(names)
