"""Does a loss learned from the task beat uniform weights? Trains with both and lets a fresh task network judge.

    python -m benchmarks.learned_vs_uniform --data cwfid|synthetic|msrs --alpha A --seeds N [--jobs 2]

Both trainings have the same networks, budget, order of data and seeds; the judge starts anew on each frozen fusion
network, and, as floor and ceiling, on each source alone, on their average and on their maximum. What is finished is
kept: the same command again goes on where it was stopped. Writes ``alpha_A.md`` and pictures beside the runs.
"""

from __future__ import annotations

from dataclasses import replace

from benchmarks.evidence import pages, pictures
from benchmarks.evidence.arguments import parser, run_command, settings_of
from benchmarks.evidence.problems import load
from benchmarks.evidence.runs import execute, histories, seeds_of, simple_runs
from metaloss.report.seeds import as_markdown

BUDGET = ("epochs", "warmup", "meta_steps", "crops", "task_epochs")


def main(arguments: list[str] | None = None) -> None:
    """Runs, prints and writes."""
    given = parser(__doc__.splitlines()[0], seeds=5, budget=BUDGET).parse_args(arguments)
    settings = settings_of(given, BUDGET)
    problem, folder = load(given.data), given.out / given.data
    own = folder / f"alpha_{given.alpha:g}"
    learned = seeds_of("learned", settings, own, given.seeds)
    uniform = seeds_of("uniform", replace(settings, weights="uniform"), own, given.seeds)
    pairs = [run for pair in zip(uniform, learned, strict=True) for run in pair]
    values = execute([*pairs, *simple_runs(settings, folder, given.seeds)], given.jobs)
    found = histories(learned)
    report = "\n".join(
        [
            f"# {given.data}, alpha {given.alpha:g}: mean ± standard deviation over {given.seeds} seeds\n",
            as_markdown(values),
            pages.gains(values),
            "Mean weights on the test scenes after training:\n",
            pages.weight_table(found, problem),
        ]
    )
    page = folder / f"{own.name}.md"
    page.write_text(report)
    pictures.draw_histories(own / "weights.png", found, problem, f"{given.data}, alpha {given.alpha:g}")
    pictures.draw_maps(own / "maps.png", learned[0], problem)
    pictures.draw_fused(own / "fused.png", uniform[0], learned[0], problem)
    print(f"{report}\nwritten: {page}; weights.png, maps.png and fused.png in {own}")


if __name__ == "__main__":
    run_command(main)
