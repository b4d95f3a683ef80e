"""Does a loss learned from the task beat uniform weights? Trains with both and lets a fresh task network judge.

    python -m benchmarks.learned_vs_uniform --data cwfid|synthetic|msrs_large --alpha A --seeds N [--rows ROW ...]

All trainings have the same networks, budget, order of data and seeds; the judge starts anew on each frozen fusion
network, and, as floor and ceiling, on each source alone, on their average and on their maximum. What is finished is
kept in ``benchmarks/results``: the same command again goes on where it was stopped. Writes a page and pictures.
"""

from __future__ import annotations

from dataclasses import replace

from benchmarks.evidence import pages, pictures
from benchmarks.evidence.arguments import parser, run_command, settings_of
from benchmarks.evidence.problems import load
from benchmarks.evidence.rows import ROWS, UNIFORM
from benchmarks.evidence.runs import Folders, execute, seeds_of, simple_runs
from metaloss.report.seeds import as_markdown

BUDGET = ("epochs", "warmup", "meta_steps", "crops", "task_epochs")


def main(arguments: list[str] | None = None) -> None:
    """Runs, prints and writes."""
    reader = parser(__doc__.splitlines()[0], seeds="5", budget=BUDGET)
    reader.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS), metavar="ROW", help=", ".join(ROWS))
    given = reader.parse_args(arguments)
    settings, problem = settings_of(given, BUDGET), load(given.data)
    folders = Folders(given.results, given.out).of(given.data)
    own = folders.of(f"alpha_{given.alpha:g}")
    rows = {name: seeds_of(name, replace(settings, **ROWS[name]), own, given.seeds) for name in given.rows}
    in_turn = [run for runs in zip(*rows.values(), strict=True) for run in runs]
    values = execute([*in_turn, *simple_runs(settings, folders, given.seeds)], given.jobs)
    learned = {name: runs for name, runs in rows.items() if runs[0].settings.weights == "learned"}
    found = {name: [run.history for run in runs] for name, runs in learned.items()}
    seeds = f"seeds {given.seeds[0]} to {given.seeds[-1]}"
    pairs = [(name, UNIFORM) for name in rows if name != UNIFORM and UNIFORM in rows]
    others = [name for name in ("uniform both", "network") if name in rows]
    pairs += [(name, other) for other in others for name in learned if name != other]
    parts = [f"# {given.data}, alpha {given.alpha:g}: mean ± standard deviation, {seeds}\n", as_markdown(values)]
    parts += [pages.gains(values, pairs)] if pairs else []
    if learned:
        parts += ["Mean weights on the test scenes after training:\n", pages.weight_table(found, problem)]
        parts += ["Largest change of a class's mean weight between epochs:\n", pages.swing_table(found)]
    page = folders.work / f"alpha_{given.alpha:g}.md"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text("\n".join(parts))
    for name, runs in learned.items():
        title = f"{given.data}, alpha {given.alpha:g}: {name}"
        place = own.work / name.replace(" ", "_")
        pictures.draw_histories(place / "weights.png", found[name], problem, title)
        if runs[0].checkpoint(settings.epochs).is_file():  # trained on this machine
            pictures.draw_maps(place / "maps.png", runs[0], problem)
            if UNIFORM in rows and rows[UNIFORM][0].checkpoint(settings.epochs).is_file():
                pictures.draw_fused(place / "fused.png", rows[UNIFORM][0], runs[0], problem)
    print("\n".join(parts) + f"\nwritten: {page}; pictures in the rows' folders of {own.work}")


if __name__ == "__main__":
    run_command(main)
