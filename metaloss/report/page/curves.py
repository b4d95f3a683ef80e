"""Which curves a page shows of its runs, under which names, and how they are read."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from metaloss.metrics import METRICS
from metaloss.report.page.charts import DASHES, RUN_COLOURS, SOURCE_COLOURS, Chart, Line, line_chart
from metaloss.report.page.run import Run
from metaloss.report.page.scalars import FUSION, META, VALIDATION, Series

_AIM = (
    (
        f"{META}outer_loss",
        "outer loss",
        "What the meta steps lower: the task's loss after an inner update, on the other half of the data; mean over an "
        "epoch. Lower is better.",
    ),
    (
        "task_loss",
        "task loss, validation",
        "The task network's loss on fused validation scenes. Lower is better.",
    ),
)
_LOSSES = (
    (
        f"{FUSION}loss",
        "fusion loss",
        "What the fusion network lowers: intensity + alpha x gradient. Its weights change as it is learned, so it need "
        "not fall.",
    ),
    (
        f"{FUSION}intensity",
        "intensity term",
        "How far the fused image is from the sources' intensities, under the learned weights.",
    ),
    (f"{FUSION}gradient", "gradient term", "How far the fused image is from the sources' edges."),
    (f"{FUSION}task_loss", "task loss, training", "The task network's loss on fused training scenes. Lower is better."),
    (f"{META}inner_loss", "inner loss", "The fusion loss of the meta steps, before the inner update."),
    (f"{META}task_inner_loss", "inner task loss", "The task's loss of the meta steps, before the inner update."),
)
_WITHIN = (
    ("meta/outer_loss", "outer loss"),
    ("fusion/loss", "fusion loss"),
    ("fusion/task_loss", "task loss, training"),
)
_NO_TASK = re.compile(r"(epoch|fusion|weight)/.*|weight_\d+|task_loss|entropy")


class Curves:
    """The charts of some runs.

    Args:
        runs: in the order in which they are shown.
    """

    def __init__(self, runs: Sequence[Run]) -> None:
        self.runs = runs
        self.sources = list(dict.fromkeys(name for run in runs for name in run.sources))

    def source_colour(self, name: str) -> str:
        """The colour of a source, the same wherever it is."""
        return SOURCE_COLOURS[self.sources.index(name) % len(SOURCE_COLOURS)]

    @staticmethod
    def is_of_task(name: str) -> bool:
        """Whether a number is the task's own score."""
        return _NO_TASK.fullmatch(name) is None

    def aim(self) -> list[Chart]:
        """What the training is for: the outer loss, the task's loss and the task's own metrics."""
        charts = [self._of_runs(*each, axis="loss") for each in _AIM]
        note = "Of a validation, as the task's evaluator gives it: shares in percent."
        charts += [self._of_runs(name, name, note, axis=name) for name in self._names(self.is_of_task)]
        return [chart for chart in charts if chart is not None]

    def losses(self) -> list[Chart]:
        """The other losses, means of an epoch."""
        return [chart for each in _LOSSES if (chart := self._of_runs(*each, axis="loss")) is not None]

    def within(self) -> list[Chart]:
        """Losses step by step."""
        found = []
        about = "Means of the last few steps, as the log has them; steps of both kinds are counted."
        for name, title in _WITHIN:
            lines = [
                Line(run.name, run.scalars.steps[name], run_colour(number), run_dash(number))
                for number, run in enumerate(self.runs)
                if name in run.scalars.steps
            ]
            if lines:
                found.append(line_chart(title, about, lines, axis="loss", across="step"))
        return found

    def fusion_metrics(self) -> list[Chart]:
        """The metrics of fused validation images."""
        found = []
        for name in self._names(lambda name: name.startswith("fusion/")):
            short = name.partition("/")[2]
            known = METRICS.get(short)
            title = f"{short} {known.arrow}" if known else short
            better = f"{'higher' if known.higher_is_better else 'lower'} is better" if known else ""
            about = f"{known.title}: {better}." if known else "Of fused validation images."
            chart = self._of_runs(name, title, about, axis=short)
            found += [chart] if chart else []
        return found

    def mean_weights(self, run: Run) -> Series:
        """Over all pixels, by source: of the validations where there were any, else of the training's fusion steps."""
        phase = "" if self._validated(run) else FUSION
        return {source: run.scalars.epochs.get(f"{phase}weight_{k}", {}) for k, source in enumerate(run.sources)}

    @staticmethod
    def _validated(run: Run) -> bool:
        return any(f"weight_{k}" in run.scalars.epochs for k in range(len(run.sources)))

    def weights(self) -> list[Chart]:
        """The mean weight of each source over all pixels, and how undecided the weights are."""
        lines, words = [], set()
        for number, run in enumerate(self.runs):
            words.add("of the validation scenes" if self._validated(run) else "of the training's fusion steps")
            for source, points in self.mean_weights(run).items():
                spread = run.scalars.epochs.get(f"{VALIDATION}spread/{source}", {}) if self._alone else {}
                if points:
                    name = self._label(source, run)
                    lines.append(Line(name, points, self.source_colour(source), run_dash(number), spread=spread))
        if not lines:
            return []
        band = (
            " The band is one standard deviation over pixels to each side."
            if any(each.spread for each in lines)
            else ""
        )
        counts = {len(run.sources) for run in self.runs if run.sources}
        uniform = 1 / counts.pop() if len(counts) == 1 else None  # of two sources others than of three
        dots = "" if uniform is None else "; dots: equal weights"
        about = f"Mean over all pixels {' or '.join(sorted(words))}{dots}.{band}"
        charts = [line_chart("weight of each source", about, lines, axis="weight", limits=(0, 1), level=uniform)]
        undecided = "1: all sources have equal weights; 0: each pixel has one source alone. Of a validation."
        entropy = self._of_runs("entropy", "entropy of the weights", undecided, axis="entropy / log n", limits=(0, 1))
        if entropy is None:
            undecided = undecided.replace("a validation", "the training's fusion steps")
            name = f"{FUSION}entropy"
            entropy = self._of_runs(name, "entropy of the weights", undecided, axis="entropy / log n", limits=(0, 1))
        return charts + ([entropy] if entropy else [])

    def weights_by_class(self) -> list[Chart]:
        """The mean weights on the pixels of each class, and off them."""
        return [self._of_class(name) for name in self.classes()]

    def classes(self) -> list[str]:
        """The classes whose weights are known."""
        names = self._names(lambda name: name.startswith("weight/"))
        return list(dict.fromkeys(name.split("/", 3)[3] for name in names if name.count("/") >= 3))

    def _of_class(self, kind: str) -> Chart:
        lines = []
        for number, run in enumerate(self.runs):
            for source in run.sources:
                colour, dash = self.source_colour(source), run_dash(number)
                on, off = (run.scalars.epochs.get(f"weight/{source}/{where}/{kind}", {}) for where in ("on", "off"))
                key = f"{VALIDATION}spread/{source}/on/{kind}"
                spread = run.scalars.epochs.get(key, {}) if self._alone else {}
                if off:
                    lines.append(Line(f"{self._label(source, run)}, elsewhere", off, colour, dash, thin=True))
                if on:
                    lines.append(Line(f"{self._label(source, run)}, on {kind}", on, colour, dash, spread=spread))
        about = f"Thick: mean over the pixels of {kind}; thin: elsewhere in the scenes that show it."
        if any(line.spread for line in lines):
            about += " Band: one standard deviation over the pixels."
        return line_chart(f"on {kind}", about, lines, axis="weight", limits=(0, 1))

    @property
    def _alone(self) -> bool:
        return len(self.runs) == 1

    def _label(self, source: str, run: Run) -> str:
        return source if self._alone else f"{source}, {run.name}"

    def _names(self, wanted: Callable[[str], bool]) -> list[str]:
        return list(dict.fromkeys(name for run in self.runs for name in run.scalars.epochs if wanted(name)))

    def _of_runs(
        self, name: str, title: str, about: str, *, axis: str, limits: tuple[float, float] | None = None
    ) -> Chart | None:
        """A chart of one number with a line per run; ``None`` where no run has it."""
        lines = [
            Line(run.name, run.scalars.epochs[name], run_colour(number), run_dash(number))
            for number, run in enumerate(self.runs)
            if name in run.scalars.epochs
        ]
        return line_chart(title, about, lines, axis=axis, limits=limits) if lines else None


def run_colour(number: int) -> str:
    """The colour of a run, where it is not a source's."""
    return RUN_COLOURS[number % len(RUN_COLOURS)]


def run_dash(number: int) -> str:
    """How the lines of a run are drawn, everywhere."""
    return DASHES[number % len(DASHES)]
