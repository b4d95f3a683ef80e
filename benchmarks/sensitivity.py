"""How much the learned loss depends on its settings: the rate of G, warm-up, meta steps, the outer update.

    python -m benchmarks.sensitivity [--data cwfid] [--alpha 0] [--seeds 2] [--only NAME ...] [--jobs 2]

One setting at a time is changed from those of ``benchmarks.learned_vs_uniform``, whose finished runs are taken up as
the first row. Writes ``sensitivity.md`` beside them.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.evidence.pages import sensitivity
from benchmarks.evidence.problems import PROBLEMS, load
from benchmarks.evidence.runs import Run, execute, histories, seeds_of
from benchmarks.evidence.settings import Settings

SGD = "max_normalised_sgd"
CHANGES: dict[str, dict[str, Any]] = {
    "rate of G 3e-5": {"loss_lr": 3e-5},
    "rate of G 1e-4": {"loss_lr": 1e-4},
    "rate of G 1e-3": {"loss_lr": 1e-3},
    "no warm-up": {"warmup": 0},
    "warm-up 6 epochs": {"warmup": 6},
    "25 meta steps": {"meta_steps": 25},
    "5 meta steps": {"meta_steps": 5},
    "max-normalised SGD 1e-3": {"outer_update": SGD, "loss_lr": 1e-3},
    "max-normalised SGD 1e-2": {"outer_update": SGD, "loss_lr": 1e-2},
}


def main(arguments: list[str] | None = None) -> None:
    """Runs, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", choices=PROBLEMS, default="cwfid")
    parser.add_argument("--alpha", type=float, default=0.0)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--only", nargs="+", choices=CHANGES, default=list(CHANGES), metavar="NAME")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, default=Path("work_dirs/evidence"))
    for name in ("epochs", "crops", "task-epochs"):
        key = name.replace("-", "_")
        parser.add_argument(f"--{name}", type=int, default=Settings.__dataclass_fields__[key].default)
    given = parser.parse_args(arguments)
    budget = {key: getattr(given, key) for key in ("epochs", "crops", "task_epochs")}
    settings = Settings(data=given.data, alpha=given.alpha, weights="learned", seed=0, **budget)
    own = given.out / given.data / f"alpha_{given.alpha:g}"
    rows: dict[str, list[Run]] = {"learned": seeds_of("learned", settings, own, given.seeds)}
    rows |= {name: seeds_of(name, replace(settings, **CHANGES[name]), own, given.seeds) for name in given.only}
    values = execute([run for runs in rows.values() for run in runs], given.jobs)
    found = {name: histories(runs) for name, runs in rows.items()}
    report = f"# {given.data}, alpha {given.alpha:g}, {given.seeds} seeds\n\n" + sensitivity(
        values, found, load(given.data)
    )
    (own / "sensitivity.md").write_text(report)
    print(f"{report}\nwritten: {own / 'sensitivity.md'}")


if __name__ == "__main__":
    main()
