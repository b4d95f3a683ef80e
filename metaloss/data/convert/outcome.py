"""What a conversion did."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from metaloss.data.ignored import IGNORED


@dataclass
class Outcome:
    """What a conversion read, wrote and left out.

    Attributes:
        source: what was read.
        kind: in words.
        out: the folder.
        masks: whether masks were written; else boxes.
        classes: the names of the result, in the order of their ids.
        counts: by class, how many pixels or boxes.
        found_in: by class, in how many files.
        files: how many were written, lists aside.
        written: the names of all files that were.
        ignored: how many pixels are of no class, id 255.
        left_out: how many entries became nothing or something else, by the reason.
        notes: what else is to be known, in sentences.
        warnings: what may be a mistake.
        most_frequent_first: how a table orders the classes.
    """

    source: Path
    kind: str
    out: Path
    masks: bool
    classes: tuple[str, ...]
    counts: Counter[int] = field(default_factory=Counter)
    found_in: Counter[int] = field(default_factory=Counter)
    files: int = 0
    written: set[str] = field(default_factory=set)
    ignored: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    most_frequent_first: bool = False

    def add_mask(self, name: str, mask: NDArray[np.uint8]) -> None:
        """Counts the pixels of a mask that is written."""
        pixels = np.bincount(mask.ravel(), minlength=IGNORED + 1).tolist()
        self.ignored += pixels[IGNORED]
        self._add(name, {number: count for number, count in enumerate(pixels[:IGNORED]) if count})

    def add_boxes(self, name: str, labels: list[int]) -> None:
        """Counts the boxes of a file that is written, by their class ids."""
        self._add(name, Counter(labels))

    def _add(self, name: str, found: dict[int, int]) -> None:
        self.files += 1
        self.written.add(name)
        for number, count in found.items():
            self.counts[number] += count
            self.found_in[number] += 1
