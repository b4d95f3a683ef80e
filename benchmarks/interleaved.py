"""Worker processes that take their steps in turn: A, B, C, A, B, C, ... with medians."""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.problem import Case
from benchmarks.ways import PEERS

ROOT = Path(__file__).parents[1]
PEERS_FOLDER = Path(sys.prefix) / "peers"


@dataclass
class Result:
    """What was seen of one case.

    Attributes:
        memory: peak above what was held before the step, MB.
        times: of the repeats, seconds.
        gradients: of the loss generator by name; empty for steps that give none.
        error: why there is nothing of all this, or an empty string.
    """

    memory: float = float("nan")
    times: list[float] = field(default_factory=list)
    gradients: dict[str, Tensor] = field(default_factory=dict)
    error: str = ""

    @property
    def time(self) -> float:
        """The median of the repeats, seconds."""
        return statistics.median(self.times) if self.times else float("nan")

    def over(self, base: Result) -> float:
        """The median ratio of times to another result's, round by round where both took their steps in turn."""
        if self.times and len(self.times) == len(base.times):
            return statistics.median(mine / theirs for mine, theirs in zip(self.times, base.times, strict=True))
        return self.time / base.time


def environment(threads: int, peer: bool) -> dict[str, str]:
    """A worker's environment: its threads, and the peers' packages where it measures a peer.

    How threads wait is left alone, as it is in users' programs. Told to sleep at once (``OMP_WAIT_POLICY=PASSIVE``)
    they have to be woken for every operator, which slows ways of many short operators most. By themselves they sleep
    after some milliseconds: a worker whose turn it is not disturbs no other.
    """
    paths = [str(PEERS_FOLDER)] if peer else []
    count = str(threads)
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "OMP_NUM_THREADS": count,
        "MKL_NUM_THREADS": count,
    }


class Worker:
    """The parent's side of one worker process."""

    def __init__(self, case: Case, *, peers: bool = False) -> None:
        self.case = case
        self.result = Result()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", json.dumps(asdict(case))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=environment(case.threads, peers or case.way in PEERS),
        )

    def wait(self) -> dict[str, float]:
        """Reads an answer; an error is kept in the result."""
        line = self.process.stdout.readline()
        answer = json.loads(line) if line else {"error": f"the process ended with {self.process.wait()}"}
        self.result.error = answer.get("error", "")
        return answer

    def ask(self, command: str) -> dict[str, float]:
        """Has a command carried out; nothing is asked any more after an error."""
        if self.result.error:
            return {}
        try:
            self.process.stdin.write(command + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # the process has ended: the answer says how
        return self.wait()

    def close(self) -> None:
        """Ends the process."""
        with contextlib.suppress(BrokenPipeError):  # it has ended by itself
            self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


class Bench:
    """Measures cases, each once.

    Args:
        folder: where gradients pass through, and nothing stays.
        say: takes progress lines.
    """

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self.folder, self.say = folder, say
        self.results: dict[Case, Result] = {}

    def measure(self, cases: Sequence[Case], repeats: int) -> list[Result]:
        """Measures memory one after the other, then times in turn.

        Args:
            cases: what to measure; those that were measured as often before are not measured again.
            repeats: timed steps of each, after the one whose memory is measured.

        Returns:
            The results in the order of the cases.
        """
        workers: list[Worker] = []
        try:
            for case in dict.fromkeys(cases):
                if not self._known(case, repeats):
                    workers.append(Worker(case))
                    workers[-1].wait()  # one starts at a time: warming up together takes far longer
            for worker in workers:
                self._memory(worker)
            for _ in range(repeats):
                for worker in workers:
                    answer = worker.ask("time")
                    worker.result.times += [answer["time"]] if "time" in answer else []
        finally:
            for worker in workers:
                worker.close()
        for worker in workers:
            self.results[worker.case] = worker.result
            self.say(describe(worker.case, worker.result))
        return [self.results[case] for case in cases]

    def gradients(self, cases: Sequence[Case]) -> list[dict[str, Tensor]]:
        """Takes one step of each case, all in one process: for the gradients alone.

        Returns:
            The gradients in the order of the cases; empty for a case that failed.
        """
        worker = self._gradient_worker(cases[0].threads)
        found = []
        for case in cases:
            if worker.result.error:  # of the case before: the process has ended
                worker.close()
                worker = self._gradient_worker(case.threads)
            worker.result = Result(error=worker.result.error)
            worker.ask(f"use {json.dumps(asdict(case))}")
            self._memory(worker)
            self.results[case] = replace(worker.result, memory=float("nan"))
            found.append(worker.result.gradients)
            self.say(f"gradient by {case.way}: {case.size}x{case.size}, {case.dtype}, K={case.steps}")
        worker.close()
        return found

    def _known(self, case: Case, repeats: int) -> bool:
        found = self.results.get(case)
        return found is not None and (bool(found.error) or len(found.times) >= repeats)

    def _gradient_worker(self, threads: int) -> Worker:
        worker = Worker(Case(way="forward", size=16, threads=threads), peers=True)
        worker.wait()
        return worker

    def _memory(self, worker: Worker) -> None:
        file = self.folder / "gradients.pt"
        answer = worker.ask(f"memory {file}")
        if "memory" in answer:
            worker.result.memory = answer["memory"]
            worker.result.gradients = torch.load(file, weights_only=True)
            file.unlink()


def describe(case: Case, result: Result) -> str:
    """A progress line."""
    options = "".join(f" {name}={value}" for name, value in case.options)
    what = f"{case.way}{options}: {case.size}x{case.size}, {case.dtype}, K={case.steps}, {case.sources} sources"
    return f"{what}: {result.error or f'{result.memory:.0f} MB, {result.time:.3f} s'}"


def relative_difference(gradients: dict[str, Tensor], reference: dict[str, Tensor]) -> float:
    """The norm of the difference over the norm of the reference, over all parameters together."""
    if not gradients or gradients.keys() != reference.keys():
        return float("nan")
    difference = [(gradients[name].double() - reference[name].double()).norm() for name in reference]
    norms = [value.double().norm() for value in reference.values()]
    return (torch.stack(difference).norm() / torch.stack(norms).norm()).item()
