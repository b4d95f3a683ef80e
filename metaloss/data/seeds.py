"""Random numbers of an item's own: what a data set draws does not depend on who reads it, or when."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Starts torch's (CPU), NumPy's and Python's global generators from a seed while the block runs.

    Afterwards they are where they were before: reading an item moves none of them.

    Args:
        seed: below 2^63.
    """
    before = torch.get_rng_state(), np.random.get_state(), random.getstate()
    words = np.random.SeedSequence(seed).generate_state(6)
    try:
        # not torch.manual_seed, which would start a GPU's generators as well
        torch.default_generator.manual_seed(int(words[0]) << 32 | int(words[1]))
        np.random.seed(words[2:4])
        random.seed(int(words[4]) << 32 | int(words[5]))
        yield
    finally:
        torch.set_rng_state(before[0])
        np.random.set_state(before[1])
        random.setstate(before[2])
