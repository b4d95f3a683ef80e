"""Times all fusion metrics for 16 pairs of 480x640 against per-image numpy, scipy and scikit-image.

Run: ``python benchmarks/metrics.py`` (``--pairs``, ``--repeats``, ``--threads``). The two sides alternate,
on the same cores; medians. numpy and scipy use one thread here, and so does torch unless told otherwise;
then the processor's time is taken, which does not count what other processes use. More threads are
timed by the clock: two gain a third on idle cores, and lose a lot where other processes run.

The references are those of the tests (tests/metrics/reference.py). VIF is timed twice there: as the
published evaluators have it (scipy's convolve2d), and with separable windows. The optional metrics, whose
references go window by window, are timed alone.
"""

import argparse
import importlib.util
import statistics
import time
from pathlib import Path

import torch
from torch.nn.functional import interpolate

from metaloss.metrics import METRICS, evaluate


def load_references():
    """Imports the tests' independent implementations."""
    path = Path(__file__).parents[1] / "tests/metrics/reference.py"
    spec = importlib.util.spec_from_file_location("reference", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def scenes(pairs, height=480, width=640):
    """Two sources with smooth and noisy parts in common and apart, and their mean."""
    generator = torch.Generator().manual_seed(0)
    smooth = interpolate(torch.rand(pairs, 2, height // 8, width // 8, generator=generator), scale_factor=8.0)
    noise = torch.rand(pairs, 2, height, width, generator=generator)
    first, second = ((0.8 * smooth + 0.2 * noise) * 255).round().split(1, dim=1)
    return ((first + second) / 2).round(), (first, second)


def seconds(function, *arguments, **options):
    """The time of one call."""
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    start = clock()
    function(*arguments, **options)
    return clock() - start


def main():
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    reference = load_references()
    fused, sources = scenes(arguments.pairs)
    arrays = [
        (image[0].double().numpy(), [source[item, 0].double().numpy() for source in sources])
        for item, image in enumerate(fused)
    ]

    def by_image(function):
        for image, its_sources in arrays:
            function(image, its_sources)

    names = [name for name, info in METRICS.items() if not info.optional]
    functions = {**{name: reference.REFERENCES[name] for name in names}, "VIF, separable": reference.vif_separable}
    optional = [name for name, info in METRICS.items() if info.optional and not info.needs_network]
    ours = {name: [] for name in [*names, "all", *optional]}
    theirs = {name: [] for name in functions}
    evaluate(fused[:1], [source[:1] for source in sources])
    for _ in range(arguments.repeats):
        for name in names:
            ours[name].append(seconds(evaluate, fused, sources, metrics=[name]))
            theirs[name].append(seconds(by_image, functions[name]))
        theirs["VIF, separable"].append(seconds(by_image, reference.vif_separable))
        ours["all"].append(seconds(evaluate, fused, sources))
        for name in optional:
            ours[name].append(seconds(evaluate, fused, sources, metrics=[name]))
    ours = {name: statistics.median(times) for name, times in ours.items()}
    theirs = {name: statistics.median(times) for name, times in theirs.items()}

    print(f"{arguments.pairs} pairs of 480x640, float32 against float64, {torch.get_num_threads()} thread(s),")
    print(f"torch {torch.__version__}, medians of {arguments.repeats}\n")
    print("| metric | metaloss, s | per image, s | ratio |\n|---|---|---|---|")
    for name in names:
        print(f"| {name} | {ours[name]:.3f} | {theirs[name]:.3f} | {theirs[name] / ours[name]:.1f} |")
    total = sum(theirs[name] for name in names)
    separable = total - theirs["VIF"] + theirs["VIF, separable"]
    print(f"| all at once | {ours['all']:.3f} | {total:.3f} | {total / ours['all']:.1f} |")
    print(f"| all at once, references with separable VIF | {ours['all']:.3f} | {separable:.3f} |", end="")
    print(f" {separable / ours['all']:.1f} |")
    print("\n| optional metric | metaloss, s |\n|---|---|")
    for name in optional:
        print(f"| {name} | {ours[name]:.3f} |")


if __name__ == "__main__":
    main()
