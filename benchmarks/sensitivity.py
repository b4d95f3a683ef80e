"""How much the learned loss depends on its settings: the rate of G, warm-up, meta steps, the outer update.

    python -m benchmarks.sensitivity [--data cwfid] [--alpha 0] [--seeds 2] [--only NAME ...] [--jobs 2]

One setting at a time is changed from those of ``benchmarks.learned_vs_uniform``, whose finished runs are taken up as
the first row. Writes ``sensitivity.md`` beside them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from benchmarks.evidence.arguments import parser, run_command, settings_of
from benchmarks.evidence.pages import sensitivity
from benchmarks.evidence.problems import load
from benchmarks.evidence.runs import Folders, Run, execute, seeds_of

BUDGET = ("epochs", "crops", "task_epochs")
SGD = "max_normalised_sgd"
CHANGES: dict[str, dict[str, Any]] = {
    "rate of G 1e-4": {"loss_lr": 1e-4},
    "rate of G 1e-2": {"loss_lr": 1e-2},
    "no warm-up": {"warmup": 0},
    "warm-up 4 epochs": {"warmup": 4},
    "25 meta steps": {"meta_steps": 25},
    "5 meta steps": {"meta_steps": 5},
    "max-normalised SGD 1e-3": {"outer_update": SGD, "loss_lr": 1e-3},
    "max-normalised SGD 1e-2": {"outer_update": SGD, "loss_lr": 1e-2},
    "plain G": {"generator": "plain"},
    "plain G, rate 1e-4": {"generator": "plain", "loss_lr": 1e-4},
}


def main(arguments: list[str] | None = None) -> None:
    """Runs, prints and writes."""
    reader = parser(__doc__.splitlines()[0], data="cwfid", seeds="2", budget=BUDGET)
    reader.add_argument("--only", nargs="+", choices=CHANGES, default=list(CHANGES), metavar="NAME")
    given = reader.parse_args(arguments)
    settings = settings_of(given, BUDGET)
    own = Folders(given.results, given.out).of(given.data, f"alpha_{given.alpha:g}")
    rows: dict[str, list[Run]] = {"network": seeds_of("network", settings, own, given.seeds)}
    rows |= {name: seeds_of(name, replace(settings, **CHANGES[name]), own, given.seeds) for name in given.only}
    values = execute([run for runs in rows.values() for run in runs], given.jobs)
    found = {name: [run.history for run in runs] for name, runs in rows.items()}
    report = f"# {given.data}, alpha {given.alpha:g}, {len(given.seeds)} seeds\n\n" + sensitivity(
        values, found, load(given.data)
    )
    page = own.work / "sensitivity.md"
    page.parent.mkdir(parents=True, exist_ok=True)  # all runs may be known from another checkout
    page.write_text(report)
    print(f"{report}\nwritten: {page}")


if __name__ == "__main__":
    run_command(main)
