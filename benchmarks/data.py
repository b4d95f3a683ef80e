"""How long a data set of many small files takes to start: pairing, the first check, and the second.

    python -m benchmarks.data [--count 50000] [--folder FOLDER]

Writes that many generated pairs with labels (three PNG files of 32x24 pixels each), and a quarter of them into another
folder, measures each step in a process of its own, prints a table, and removes what it wrote. The files are in the
system's memory when they are read, as they have just been written.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from metaloss.data import PairedDataset, check_dataset

CLASSES = 3
WIDTH, HEIGHT = 32, 24
DISTINCT = 64  # pictures; they are written again and again
STEPS = ("pairing", "first check", "second check")


def write_pairs(root: Path, count: int) -> None:
    """Writes ``root/{ir,vi,label}/NNNNNN.png``."""
    noise = np.random.default_rng(0)
    for folder, shape, top in (("ir", (), 256), ("vi", (3,), 256), ("label", (), CLASSES)):
        (root / folder).mkdir(parents=True)
        pictures = []
        for _ in range(DISTINCT):
            buffer = io.BytesIO()
            Image.fromarray(noise.integers(0, top, (HEIGHT, WIDTH, *shape), dtype=np.uint8)).save(buffer, "PNG")
            pictures.append(buffer.getvalue())
        for number in range(count):
            (root / folder / f"{number:06d}.png").write_bytes(pictures[number % DISTINCT])


def measure(root: Path) -> dict[str, float]:
    """Pairs and checks in this process; gives the seconds of both."""
    began = time.perf_counter()
    dataset = PairedDataset(root, classes=CLASSES)
    paired = time.perf_counter()
    check_dataset(dataset)
    return {"pairing": paired - began, "check": time.perf_counter() - paired}


def start(root: Path, cache: Path) -> dict[str, float]:
    """The same in a new process, as a training starts."""
    command = [sys.executable, "-m", "benchmarks.data", "--measure", str(root)]
    ran = subprocess.run(
        command, env={**os.environ, "XDG_CACHE_HOME": str(cache)}, stdout=subprocess.PIPE, text=True, check=True
    )
    found: dict[str, float] = json.loads(ran.stdout)
    return found


def table(counts: list[int], folder: Path) -> str:
    """Measures each number of pairs; gives the table as Markdown."""
    columns = {}
    for count in counts:
        write_pairs(folder / str(count), count)
        cache = folder / f"cache_{count}"
        first, second = start(folder / str(count), cache), start(folder / str(count), cache)
        times = (min(first["pairing"], second["pairing"]), first["check"], second["check"])
        columns[count] = dict(zip(STEPS, times, strict=True))
    lines = ["| seconds | " + " | ".join(f"{count} pairs" for count in counts) + " |", "|---" * (len(counts) + 1) + "|"]
    lines += [f"| {step} | " + " | ".join(f"{columns[count][step]:.2f}" for count in counts) + " |" for step in STEPS]
    return "\n".join(lines)


def main() -> None:
    """Measures, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=50_000, help="pairs")
    parser.add_argument("--folder", type=Path, help="where the files are written for a while; default: a temporary one")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure is not None:
        print(json.dumps(measure(given.measure)))
        return
    if given.folder is not None:
        given.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        print(table([given.count // 4, given.count], Path(folder)))


if __name__ == "__main__":
    main()
