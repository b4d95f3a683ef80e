"""One process per measured way: it takes a step when told, and answers with what it saw.

    python -m benchmarks.worker '{"way": "forward", "size": 128, ...}'

It reads a command per line (``memory FILE``, ``time``, ``use CASE``) and writes a line of JSON for
each. The gradients of the step whose memory was measured go to the file.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import Any

import torch

from benchmarks.measure import PeakMemory, fill_heap, keep_buffers, map_buffers, release_heap, seconds
from benchmarks.problem import Case, device
from benchmarks.ways import Step, make_step

WARM_UP = 32
_SPARE = 1.2  # of a step's peak: holes in the heap


def prepare(case: Case) -> Step:
    """Builds the step; libraries are loaded and optimizer states held before the step that counts."""
    torch.set_num_threads(case.threads)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    compiled = dict(case.options).get("compile", False)
    if not compiled:
        make_step(replace(case, size=min(case.size, WARM_UP)))()
    step = make_step(case)
    if compiled:
        step()  # compiling, for the size itself, is no part of a step
        release_heap()
    return step


class Answers:
    """What a worker can be told.

    Args:
        case: what it measures.
    """

    def __init__(self, case: Case) -> None:
        self.step = prepare(case)
        self.peak = 0.0

    def memory(self, file: str) -> dict[str, Any]:
        """Takes the first step, keeps its gradients, and gives its peak memory."""
        kept: dict[str, torch.Tensor] = {}
        with PeakMemory(device()) as peak:
            kept.update(self.step())
        keep_buffers()
        self.peak = peak.above
        torch.save({name: value.cpu() for name, value in kept.items()}, file)
        return {"memory": peak.above}

    def time(self) -> dict[str, Any]:
        """Takes a step and gives its time; what it needs is there before, and given back after it, to the others."""
        if device().type == "cpu":
            fill_heap(_SPARE * self.peak)
        found = {"time": seconds(self.step, device())}
        release_heap()
        return found

    def use(self, case: str) -> dict[str, Any]:
        """Turns to another case: for gradients, where a process of its own matters less than its start costs."""
        self.step = make_step(Case.from_json(json.loads(case)))
        return {}


def main() -> None:
    """Answers until the input ends; an error ends the worker, after an answer that says which."""
    channel, sys.stdout = sys.stdout, sys.stderr
    map_buffers()

    def answer(values: dict[str, Any]) -> None:
        print(json.dumps(values), file=channel, flush=True)

    try:
        answers = Answers(Case.from_json(json.loads(sys.argv[1])))
        answer({"ready": True})
        for line in sys.stdin:
            name, *arguments = line.rstrip("\n").split(" ", 1)
            answer(getattr(answers, name)(*arguments))
    except Exception as error:
        answer({"error": f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"})


if __name__ == "__main__":
    main()
