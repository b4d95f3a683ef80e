"""Times all fusion metrics against the same formulas image by image in NumPy, SciPy and scikit-image.

    python -m benchmarks.metrics [--pairs 16] [--repeats 3] [--threads 1]
    python -m benchmarks.metrics --vifb [--method U2Fusion] [--data FOLDER]

The first takes random pairs of 480x640, and the metrics that ``evaluate`` gives without a choice. With ``--vifb`` it is
the 21 pairs of VIFB in colour, by the convention ``vifb``, and all metrics: half an hour of one core, most of it for
the four FMI. The two sides alternate, on the same cores. NumPy and SciPy use one thread here, and so does torch
unless told otherwise; then the processor's time is taken, which does not count what other processes use. More threads
are timed by the clock: two gain a third on idle cores, and lose a lot where other processes run.

The other side are the tests' references (tests/metrics/reference.py), and benchmarks/vectorized.py for what these
compute window by window. VIF is timed twice: as the published evaluators have it (scipy's convolve2d), and with
separable windows.
"""

from __future__ import annotations

import argparse
import functools
import importlib.util
import os
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import interpolate

from benchmarks.published import TABLES, files_of, rows_of
from benchmarks.vectorized import VECTORIZED
from metaloss.data.images import read_image
from metaloss.metrics import METRICS, evaluate
from metaloss.runtime.progress_bar import progress_bar

ROOT = Path(__file__).parents[1]
SEPARABLE = "VIF, separable"
Function = Callable[[Any, Sequence[Any]], float]


def load_references(name: str) -> Any:
    """Imports the tests' independent implementations."""
    folder = ROOT / "tests" / "metrics"
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def by_default() -> dict[str, Function]:
    """The other side of the metrics that ``evaluate`` gives without a choice, by the convention ``tdfusion``."""
    reference = load_references("reference")
    return {**reference.REFERENCES, SEPARABLE: reference.vif_separable}


def by_vifb() -> dict[str, Function]:
    """The other side of all metrics, by the convention ``vifb``, of images in colour (H, W, 3)."""
    of, optional = load_references("reference"), load_references("reference_optional")

    def twice(function: Function) -> Function:
        return lambda fused, sources: 2 * function(fused, sources)

    def bands(function: Function) -> Function:
        def mean(fused: Any, sources: Sequence[Any]) -> float:
            return statistics.fmean(
                float(function(fused[..., k], [source[..., k] for source in sources])) for k in range(3)
            )

        return mean

    one_band: dict[str, Function] = {
        **of.REFERENCES,
        **optional.REFERENCES,
        **VECTORIZED,
        "AG": functools.partial(of.ag, intervals=True),
        "MI": functools.partial(of.mi, base=np.e, stretch=True),
        "PSNR": of.psnr_vifb,
        "VIF": twice(of.vif),
        SEPARABLE: twice(of.vif_separable),
        "SSIM": twice(of.ssim_gaussian),
        "MS-SSIM": twice(of.ms_ssim),
        "Qcv": functools.partial(of.qcv, stretch=True),
        "RMSE": functools.partial(optional.rmse, by_pixels=True),
    }
    found = {name: bands(function) for name, function in one_band.items()}
    found["SF"] = lambda fused, sources: of.sf(
        np.concatenate(list(np.moveaxis(fused, -1, 0)), axis=1), [], by_pixels=True
    )
    return found


def scenes(pairs: int, height: int = 480, width: int = 640) -> list[tuple[Any, Sequence[Any]]]:
    """Two sources with smooth and noisy parts in common and apart, and their mean, as one batch."""
    generator = torch.Generator().manual_seed(0)
    smooth = interpolate(torch.rand(pairs, 2, height // 8, width // 8, generator=generator), scale_factor=8.0)
    noise = torch.rand(pairs, 2, height, width, generator=generator)
    first, second = ((0.8 * smooth + 0.2 * noise) * 255).round().split(1, dim=1)
    return [((first + second) / 2).round(), (first, second)]


def vifb(data: Path, method: str) -> list[tuple[Any, Sequence[Any]]]:
    """The fused images of a method and their sources, in colour (1, 3, H, W)."""
    table = TABLES[0]
    found = []
    for row in rows_of(table, data):
        if row["method"] == method:
            images = [read_image(file).mul(255).round()[None] for file in files_of(table, data, row["image"], method)]
            fused, *sources = (image.expand(-1, 3, -1, -1).contiguous() for image in images)
            found.append((fused, sources))
    return found


def seconds(function: Callable[..., object], *arguments: Any, **options: Any) -> float:
    """The time of one call."""
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    start = clock()
    function(*arguments, **options)
    return clock() - start


def times(
    batches: Sequence[tuple[Any, Sequence[Any]]],
    arrays: Sequence[tuple[Any, Sequence[Any]]],
    theirs: Mapping[str, Function],
    convention: str,
    repeats: int,
) -> tuple[dict[str, float], dict[str, float]]:
    """Seconds for all images by metric, ours (and ``"all"`` at once) and theirs: medians over the repeats."""
    names = [name for name in METRICS if name in theirs]
    own: dict[str, list[float]] = {name: [] for name in [*names, "all"]}
    other: dict[str, list[float]] = {name: [] for name in theirs}

    def measured(chosen: Sequence[str]) -> None:
        for fused, sources in batches:
            evaluate(fused, sources, convention=convention, metrics=chosen)

    def by_image(function: Function) -> None:
        for fused, sources in arrays:
            function(fused, sources)

    fused, sources = batches[0]
    evaluate(fused[:1], [source[:1] for source in sources], convention=convention)
    with progress_bar("timing", repeats * (len(names) + 1)) as advance, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # flat windows, divided by 0: only the time counts here
        for _ in range(repeats):
            for name in names:
                own[name].append(seconds(measured, [name]))
                other[name].append(seconds(by_image, theirs[name]))
                advance(name)
            other[SEPARABLE].append(seconds(by_image, theirs[SEPARABLE]))
            own["all"].append(seconds(measured, names))
            advance("all")
    medians = [{name: statistics.median(values) for name, values in side.items()} for side in (own, other)]
    return medians[0], medians[1]


def table(own: Mapping[str, float], other: Mapping[str, float]) -> str:
    """The page's table."""
    lines = ["| metric | metaloss, s | per image, s | ratio |", "|---|---|---|---|"]
    names = [name for name in own if name != "all"]
    for name in names:
        lines.append(f"| {name} | {own[name]:.3f} | {other[name]:.3f} | {other[name] / own[name]:.1f} |")
    total = sum(other[name] for name in names)
    separable = total - other["VIF"] + other[SEPARABLE]
    for label, value in (("all at once", total), ("all at once, references with separable VIF", separable)):
        lines.append(f"| {label} | {own['all']:.3f} | {value:.3f} | {value / own['all']:.1f} |")
    return "\n".join(lines)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=16)
    parser.add_argument("--repeats", type=int, help="default: 3; with --vifb 1")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--vifb", action="store_true", help="VIFB's pairs, in colour, and all metrics")
    parser.add_argument("--method", default="U2Fusion", help="whose fused images, with --vifb")
    default = os.environ.get("METALOSS_DATA", ROOT.parent / "shared" / "data")
    parser.add_argument("--data", type=Path, default=Path(default), help="default: $METALOSS_DATA")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    repeats = given.repeats or (1 if given.vifb else 3)
    if given.vifb:
        batches = vifb(given.data, given.method)
        arrays = [tuple(map(_array, (fused, *sources))) for fused, sources in batches]
        pairs = [(first, others) for first, *others in arrays]
        what, theirs, convention = f"{len(batches)} pairs of VIFB in colour, {given.method}", by_vifb(), "vifb"
    else:
        fused, sources = scenes(given.pairs)
        batches = [(fused, sources)]
        pairs = [
            (image[0].double().numpy(), [source[item, 0].double().numpy() for source in sources])
            for item, image in enumerate(fused)
        ]
        what, theirs, convention = f"{given.pairs} pairs of 480x640", by_default(), "tdfusion"
    own, other = times(batches, pairs, theirs, convention, repeats)
    print(f"{what}, float32 against float64, {torch.get_num_threads()} thread(s),")
    print(f"torch {torch.__version__}, medians of {repeats}\n")
    print(table(own, other))


def _array(image: torch.Tensor) -> Any:
    return image[0].permute(1, 2, 0).double().numpy().copy()


if __name__ == "__main__":
    main()
