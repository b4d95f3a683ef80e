"""What each inner update tells the loss of the task's wishes, before any meta-learning: which source, and where.

    python -m benchmarks.signal [--state demo yolov8 unet small] [--seeds 1] [--pairs 12] [--warmup 4] [--out FILE]

After some epochs of fusion steps, for pairs of batches: how much weight each class asks for in infrared, in units of
the map's mean size, with its t value over the pairs (right: persons +, signs -, cars +, which are better found in
infrared); how one-sided the wishes are; and the cosine between two pairs' meta-gradients. F trains, T is in evaluation
mode, alpha is 1.
"""

from __future__ import annotations

import argparse
import math
import warnings
from itertools import product
from pathlib import Path

import torch

from benchmarks.evidence.arguments import seeds_from
from benchmarks.signals.states import PARTS, State, state_of
from benchmarks.signals.updates import UPDATES
from metaloss.report.tables import markdown
from metaloss.training.signal import Signal


def measure(state: State, pairs: int) -> dict[str, Signal]:
    """Takes the signal of every update over the same pairs."""
    state.learner.task.eval()
    drawn = list(state.pairs(pairs).meta(0))
    classes = state.scenes.classes
    return {
        name: Signal.of([update(state, *pair) for pair in drawn], state.scenes.sources, classes)
        for name, update in UPDATES.items()
    }


def table(found: dict[str, Signal]) -> str:
    """The signals as a Markdown table."""
    names = list(next(iter(found.values())).regions)
    rows = [["inner update", *names, "one-sided", "agreement"]]
    for update, signal in found.items():
        asked = [signal.regions[name]["ir"] for name in names]
        cells = [f"{each.mean:+.2f}" + ("" if math.isnan(each.t) else f" ({each.t:+.1f})") for each in asked]
        rows.append([update, *cells, f"{signal.one_sided:.2f}", f"{signal.agreement:+.2f}"])
    return markdown(rows)


def main(arguments: list[str] | None = None) -> None:
    """Measures and prints."""
    reader = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    reader.add_argument("--state", nargs="+", choices=PARTS, default=list(PARTS))
    reader.add_argument("--seeds", type=seeds_from, default="1", help="of the networks: how many, or first-last")
    reader.add_argument("--pairs", type=int, default=12)
    reader.add_argument("--warmup", type=int, default=4, help="epochs of fusion steps")
    reader.add_argument("--out", type=Path, help="a file for the tables")
    given = reader.parse_args(arguments)
    torch.set_num_threads(1)
    parts = []
    for name, seed in product(given.state, given.seeds):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the frameworks, about themselves
            found = measure(state_of(name, epochs=given.warmup, seed=seed), given.pairs)
        asked = f"weight asked for in infrared, mean (t) over {given.pairs} pairs, after {given.warmup} epochs"
        title = f"{name}, seed {seed}: {asked}"
        parts.append(f"{title}\n\n{table(found)}")
        print(parts[-1], flush=True)
    if given.out is not None:
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text("\n".join(parts))


if __name__ == "__main__":
    main()
