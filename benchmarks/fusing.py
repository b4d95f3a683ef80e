"""Files fused per second, read and written by threads against one by one, and the memory that it takes.

    python -m benchmarks.fusing [--network refusion] [--size 64x80 128x160] [--files 60] [--repeats 3] [--threads N]
    python -m benchmarks.fusing --memory 2000
    python -m benchmarks.fusing --large 4096 [--tile 512]

The first takes both ways in turn (A, B, A, B, ...), and says whether they have written the same. The plain way reads a
pair, looks whether it is registered, fuses it and writes it before it reads the next. Random weights; procedural
scenes, the visible image in colour.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from benchmarks.measure import PeakMemory, describe_machine, map_buffers
from benchmarks.problem import device
from metaloss import Fuser
from metaloss.data import Pair, SyntheticScenes, pair_folders, read_image, write_image
from metaloss.data.reading import Reading
from metaloss.inference.files import Opened, fuse_files
from metaloss.plugins import build_fusion

READINGS = (Reading(), Reading())
_DIFFERENT = 8  # scenes that are drawn; more files repeat them


def write_pairs(folder: Path, count: int, size: tuple[int, int]) -> list[Pair]:
    """Writes grey infrared and coloured visible images, (height, width) pixels each."""
    scenes = SyntheticScenes(min(count, _DIFFERENT), size=size)
    for number in range(count):
        infrared, visible = scenes[number % _DIFFERENT]["sources"]
        write_image(folder / "ir" / f"{number:05d}.png", infrared)
        tint = torch.tensor([1.0, 0.92, 0.8])[:, None, None]
        write_image(folder / "vi" / f"{number:05d}.png", visible.expand(3, -1, -1) * tint)
    return pair_folders([folder / "ir", folder / "vi"])


def one_by_one(fuser: Fuser, pairs: Sequence[Pair], out: Path) -> None:
    """Fuses files in one thread, one after the other."""
    for pair in pairs:
        scene = Opened.of(pair, READINGS)
        [fused] = fuser.fuse([scene.images])
        write_image(out / f"{pair.name}.png", fused, scene.metadata.bits, metadata=scene.metadata)


def ahead(fuser: Fuser, pairs: Sequence[Pair], out: Path) -> None:
    """Fuses files as the command does."""
    for _ in fuse_files(fuser, pairs, READINGS, lambda pair: out / f"{pair.name}.png"):
        pass


def rates(fuser: Fuser, pairs: Sequence[Pair], folder: Path, repeats: int) -> dict[str, list[float]]:
    """Files per second of both ways, taken in turn; the first round does not count."""
    ways = {"one by one": one_by_one, "ahead": ahead}
    found: dict[str, list[float]] = {name: [] for name in ways}
    for repeat in range(repeats + 1):
        for name, way in ways.items():
            some = pairs if repeat else pairs[:4]
            begin = time.perf_counter()
            way(fuser, some, folder / name)
            if repeat:
                found[name].append(len(some) / (time.perf_counter() - begin))
    return found


def differences(folder: Path, pairs: Sequence[Pair]) -> tuple[int, float]:
    """How many of the written images differ, and by how many grey levels of 255 at most."""
    levels = []
    for pair in pairs:
        first, second = (read_image(folder / way / f"{pair.name}.png") for way in ("one by one", "ahead"))
        levels.append(255 * (first - second))
    return sum(bool(each.any()) for each in levels), max(float(each.abs().max()) for each in levels)


def memory_of_many(fuser: Fuser, count: int, folder: Path) -> None:
    """Prints the memory above the start in each tenth of the files."""
    pairs = write_pairs(folder, count, (32, 32))
    ahead(fuser, pairs[:20], folder / "out")
    part = max(count // 10, 1)
    for start in range(0, count, part):
        with PeakMemory(device()) as peak:
            ahead(fuser, pairs[start : start + part], folder / "out")
        print(f"files {start + 1} to {start + part}: held {peak.start:.0f} MB, {peak.above:.1f} above", flush=True)


def one_large(fuser: Fuser, side: int, folder: Path) -> None:
    """Prints the time and the peak memory of one pair."""
    [pair] = write_pairs(folder, 1, (side, side))
    begin, used = time.perf_counter(), time.process_time()
    with PeakMemory(device()) as peak:
        ahead(fuser, [pair], folder / "out")
    used = time.process_time() - used
    print(
        f"{side}x{side}, tile {fuser.tile}: {time.perf_counter() - begin:.0f} s, of the processor {used:.0f} s, "
        f"{peak.above:.0f} MB",
        flush=True,
    )


def main(arguments: list[str] | None = None) -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", default="refusion")
    parser.add_argument("--size", nargs="+", default=["64x80", "128x160"], help="height x width")
    parser.add_argument("--files", type=int, default=60)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--memory", type=int, metavar="FILES")
    parser.add_argument("--large", type=int, metavar="SIDE")
    parser.add_argument("--tile", type=int)
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    fuser = Fuser(build_fusion(given.network), device=device(), tile=given.tile)
    print(describe_machine(device(), given.threads), flush=True)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        if given.memory:
            map_buffers()  # not where time is measured too: it costs as much again
            memory_of_many(fuser, given.memory, folder)
        if given.large:
            one_large(fuser, given.large, folder)
        for size in [] if given.memory or given.large else given.size:
            height, width = map(int, size.split("x"))
            pairs = write_pairs(folder / size, given.files, (height, width))
            found = rates(fuser, pairs, folder / size, given.repeats)
            shown = "; ".join(f"{name} {' '.join(f'{rate:.2f}' for rate in own)}" for name, own in found.items())
            plain, threads = (statistics.median(own) for own in found.values())
            count, most = differences(folder / size, pairs)
            print(f"{given.network}, {size}: files per second: {shown}: {threads / plain:.2f} times as many")
            print(f"  {count} of {len(pairs)} images differ, by {most:.0f} of 255 at most", flush=True)


if __name__ == "__main__":
    main()
