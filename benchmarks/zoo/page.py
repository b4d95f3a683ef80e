"""The page that says which models of the frameworks' zoos work."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import packages_distributions, version

from benchmarks.zoo.catalogue import Model
from benchmarks.zoo.results import Limits, Results

TITLES = {
    "mmseg": "MMSegmentation",
    "mmdet": "MMDetection",
    "ultralytics": "ultralytics",
    "timm": "timm",
    "torchvision": "torchvision",
}
_WORDS = {
    "works": "works",
    "refused": "refused",
    "memory": "more memory than there was",
    "time": "more time than there was",
    "fault": "**fault**",
}


def page(models: Sequence[Model], results: Results, limits: Limits) -> str:
    """Writes the page in Markdown; models that have not been tried are left out."""
    wanted, models = models, [model for model in models if model in results]
    tasks = [task for task in TITLES if any(model.task == task for model in models)]
    lines = [
        "# The frameworks' zoos as tasks",
        "",
        "The smallest model of every folder, family or module of a framework's own zoo, tried by `make zoo`: built "
        "with random weights and three classes (CrowdDet with one), one meta step with bounded inner gradients, one "
        "fusion step, predictions and their score, on a batch of two scenes of 64 pixels, or of 128, 224 or 512 where "
        "a model refuses less. That all of this runs and every loss is finite says nothing of how well a model learns.",
        "",
        f"One core of a CPU, {limits.gib:g} GiB and {limits.seconds} s a model, no network. "
        + ", ".join(f"{TITLES[task]} {_version(task)}" for task in tasks)
        + ".",
        "",
        "| framework | tried | work | refused in a sentence | memory or time | faults |",
        "|---|---|---|---|---|---|",
    ]
    for task in tasks:
        mine = [model for model in models if model.task == task]
        total = sum(model.task == task for model in wanted)
        lines.append(_counts(f"{TITLES[task]}{f', of {total}' * (total > len(mine))}", mine, results))
        plain = [model for model in mine if not model.other]
        if len(plain) < len(mine):
            lines.append(_counts("... but for those that learn from something else", plain, results))
    for task in tasks:
        lines += ["", f"## {TITLES[task]}", "", "| model | learns from | outcome | |", "|---|---|---|---|"]
        lines += [_row(model, results) for model in models if model.task == task]
    return "\n".join(lines) + "\n"


def _counts(title: str, models: Sequence[Model], results: Results) -> str:
    counts = Counter(results[model]["outcome"] for model in models)
    cells = (counts["works"], counts["refused"], counts["memory"] + counts["time"], counts["fault"])
    return f"| {title} | {len(models)} | " + " | ".join(map(str, cells)) + " |"


def _row(model: Model, results: Results) -> str:
    outcome = results[model]
    words = _WORDS[outcome["outcome"]]
    at = f" at {outcome['size']}" if outcome["outcome"] == "works" else ""
    said = outcome["detail"] if outcome["outcome"] in ("refused", "fault") else ""
    detail = re.sub(r"[^\s'\"]*/\.mim/configs/", "", str(said)).replace("|", "\\|")
    return f"| {model.name.removesuffix('.py')} | {model.other or model.target} | {words}{at} | {detail} |"


def _version(module: str) -> str:
    return version(packages_distributions()[module][0])
