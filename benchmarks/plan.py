"""How large the benchmark is: sizes, repeats and threads."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import Any

from benchmarks.problem import Case


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The sizes of everything that is measured.

    Attributes:
        sizes: of the main tables.
        batch: images per batch, everywhere.
        threads: of the processor, everywhere.
        repeats: timed steps, of which the median is taken.
        growth_repeats: the same in the growth tables.
        short_repeats: the same for the networks alone and for whole steps, whose ratios are near one another.
        exact_size: where the gradients are compared in float64.
        size_values: growth with image size.
        steps_values: growth with K.
        sources_values: growth with the number of sources.
        growth_size: the image size in growth with K and sources.
        options_size: the image size for the learner's settings.
        network_size: the image size for the networks alone.
    """

    sizes: tuple[int, ...] = (128, 160)
    batch: int = 2
    threads: int = field(default_factory=lambda: os.cpu_count() or 1)
    repeats: int = 5
    growth_repeats: int = 1
    short_repeats: int = 9
    exact_size: int = 32
    size_values: tuple[int, ...] = (96, 128, 160, 224, 320)
    steps_values: tuple[int, ...] = (1, 2, 4, 8)
    sources_values: tuple[int, ...] = (2, 3, 4)
    growth_size: int = 96
    options_size: int = 96
    network_size: int = 160

    def quick(self) -> Plan:
        """The same tables from small images, to see that all of it works; the figures say nothing."""
        return replace(
            self,
            sizes=(24,),
            threads=1,
            repeats=1,
            short_repeats=1,
            exact_size=16,
            size_values=(16, 24),
            steps_values=(1, 2),
            sources_values=(2, 3),
            growth_size=16,
            options_size=16,
            network_size=16,
        )

    def case(self, way: str, size: int, **others: Any) -> Case:
        """A case with the plan's batch and threads."""
        return Case(way=way, size=size, batch=self.batch, threads=self.threads, **others)

    def growth_case(self, what: str, way: str, value: int) -> Case:
        """A case of the table that grows in ``"size"``, ``"steps"`` or ``"sources"``."""
        return self.case(way, **{"size": self.growth_size, what: value})
