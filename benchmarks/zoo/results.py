"""Processes with limits, one per model, and the file that keeps what came of them."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.zoo.catalogue import Model

ROOT = Path(__file__).parents[2]
Outcome = dict[str, Any]


class Results:
    """The outcomes by model, in a file of one JSON line each, which is written to as they come.

    Args:
        path: the file; it need not be there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        self._outcomes: dict[tuple[str, str], Outcome] = {}
        for line in lines:
            if line.endswith("}"):  # the last one of a run that was stopped may be cut off
                outcome = json.loads(line)
                self._outcomes[outcome["task"], outcome["name"]] = outcome

    def __contains__(self, model: Model) -> bool:
        return (model.task, model.name) in self._outcomes

    def __getitem__(self, model: Model) -> Outcome:
        return self._outcomes[model.task, model.name]

    def add(self, model: Model, outcome: Outcome) -> None:
        """Keeps what came of a model."""
        outcome = {"task": model.task, "name": model.name, **outcome}
        self._outcomes[model.task, model.name] = outcome
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(f"\n{json.dumps(outcome)}" if self.path.stat().st_size else json.dumps(outcome))


@dataclass(frozen=True)
class Limits:
    """What one model may take.

    Attributes:
        seconds: of time.
        gib: of memory.
    """

    seconds: int
    gib: float

    def tried(self, models: Sequence[Model], jobs: int) -> Iterator[tuple[Model, Outcome]]:
        """Tries models, some at a time, and gives each outcome as it comes."""
        with ThreadPoolExecutor(jobs) as pool:
            futures = {pool.submit(self.outcome, model): model for model in models}
            try:
                for future in as_completed(futures):
                    yield futures[future], future.result()
            finally:
                pool.shutdown(cancel_futures=True)

    def outcome(self, model: Model) -> Outcome:
        """Tries one model in a process of its own."""
        start = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.zoo.trial", json.dumps(asdict(model))],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            preexec_fn=self._limit,
            start_new_session=True,
        )
        try:
            output, errors = process.communicate(timeout=self.seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return {"outcome": "time", "size": None, "detail": "", "seconds": self.seconds}
        seconds = round(time.monotonic() - start)
        lines = output.strip().splitlines()
        if process.returncode == 0 and lines:
            return {**json.loads(lines[-1]), "seconds": seconds}
        last = (errors.strip().splitlines() or [""])[-1][:300]
        code = process.returncode
        words = f"killed by {signal.Signals(-code).name}" if code < 0 else last
        return {
            "outcome": "memory" if "MemoryError" in last else "fault",
            "size": None,
            "detail": words,
            "seconds": seconds,
        }

    def _limit(self) -> None:
        size = int(self.gib * 2**30)
        resource.setrlimit(resource.RLIMIT_DATA, (size, size))
