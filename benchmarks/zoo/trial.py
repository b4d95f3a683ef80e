"""Tries one model in a process of its own: built, a meta step, a fusion step, predictions and their score.

    python -m benchmarks.zoo.trial MODEL_AS_JSON

Prints the outcome as its last line, as JSON. Images are 64 pixels wide, then larger where the model refuses the size.
"""

from __future__ import annotations

import json
import socket
import sys
import warnings
from typing import Any

import torch
from torch import nn

import metaloss
from benchmarks.zoo.catalogue import Model

SIZES = (64, 128, 224, 512)
_NO_MEMORY = ("allocate memory", "out of memory", "not enough memory")


def attempt(model: Model, sizes: tuple[int, ...] = SIZES) -> dict[str, Any]:
    """Tries a model.

    Returns:
        ``outcome``: ``"works"``, ``"refused"`` with metaloss's own sentence, ``"memory"``, or ``"fault"``: anything
        else that was raised, or a loss that is not finite. ``detail`` says more; ``size`` is that of the images.
    """
    socket.socket.connect = _no_network  # type: ignore[method-assign, assignment]
    torch.manual_seed(0)
    size = sizes[0]
    try:
        task = metaloss.build_task(model.task, **model.arguments, num_classes=model.classes)
        for size in sizes:
            try:
                return {"outcome": "works", "size": size, "detail": _train(task, model, size)}
            except metaloss.ShapeError:
                if size == sizes[-1]:
                    raise
    except Exception as error:
        words = " ".join(str(error).split())
        if isinstance(error, MemoryError) or any(part in words for part in _NO_MEMORY):
            return {"outcome": "memory", "size": size, "detail": words[:300]}
        if isinstance(error, metaloss.MetaLossError):
            return {"outcome": "refused", "size": size, "detail": words}
        return {"outcome": "fault", "size": size, "detail": f"{type(error).__name__}: {words[:300]}"}
    raise AssertionError("unreachable")


class FusionNet(nn.Module):
    """As small as a fusion network can be that has something to learn."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(2, 8, 3, padding=1), nn.Conv2d(8, 1, 3, padding=1)

    def forward(self, *sources: torch.Tensor) -> torch.Tensor:
        """Fuses two sources (B, 1, H, W)."""
        return self.last(torch.nn.functional.silu(self.first(torch.cat(sources, 1)))).sigmoid()


def _train(task: nn.Module, model: Model, size: int) -> str:
    """Trains for one step, predicts and scores; says how the meta-gradient was taken where it was no plain way."""
    generator = metaloss.Concatenated(nn.Sequential(nn.Conv2d(2, 2, 3, padding=1), nn.Softmax(1)))
    learner = metaloss.MetaLearner(
        fusion=FusionNet(),
        loss=metaloss.LearnableFusionLoss(generator),
        task=task,
        inner_lr=1e-3,
        inner_clip=1.0,  # random weights of a deep detector may give gradients beyond float32
        lr=1e-3,
    )
    batches = [_batch(model, size, seed) for seed in (1, 2)]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        values = learner.meta_step(*batches) | learner.fusion_step(batches[0])
        predictions = task.predict(learner.fuse(*batches[0].sources))
        evaluator = task.evaluator()
        evaluator.update(predictions, task.targets(batches[0]))
        evaluator.compute()
    wrong = [name for name, value in values.items() if not torch.as_tensor(value).isfinite().all()]
    if wrong:
        raise ArithmeticError(f"not finite: {', '.join(wrong)}")
    return "; ".join({str(each.message).split(":")[0] for each in caught if "falling back" in str(each.message)})


def _batch(model: Model, size: int, seed: int) -> metaloss.FusionBatch:
    """Two scenes of noise; the second one of a detector shows nothing."""
    generator = torch.Generator().manual_seed(seed)
    sources = tuple(torch.rand(2, 1, size, size, generator=generator) for _ in range(2))
    target: Any
    if model.target == "boxes":
        boxes = torch.tensor([[4.0, 6.0, 0.5 * size, 0.6 * size], [0.3 * size, 8.0, 0.9 * size, 0.8 * size]])
        target = [
            {"boxes": boxes, "labels": torch.tensor([0, model.classes - 1])},
            {"boxes": boxes[:0], "labels": torch.zeros(0, dtype=torch.int64)},
        ]
    elif model.target == "classes of images":
        target = torch.tensor([0, model.classes - 1])
    else:
        target = torch.randint(model.classes, (2, size, size), generator=generator)
    return metaloss.FusionBatch(sources=sources, target=target)


def _no_network(self: socket.socket, address: object) -> None:
    raise RuntimeError(f"the network was opened: {address}")


def main() -> None:
    """Reads the model, and prints what came of it."""
    outcome = attempt(Model(**json.loads(sys.argv[1])))
    print(f"\n{json.dumps(outcome)}", flush=True)


if __name__ == "__main__":
    main()
