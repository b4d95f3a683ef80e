"""The networks themselves against straightforward ones: forward, and forward with backward.

    python -m benchmarks.networks [--size 160] [--batch 2] [--threads N] [--repeats 9]

Both take turns in one process; prints JSON for ``benchmarks.meta_gradient``.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable

import torch
from torch import Tensor, nn

from benchmarks import straightforward
from benchmarks.interleaved import Result
from benchmarks.measure import seconds
from benchmarks.problem import device
from metaloss.networks import LossGenerator, ReFusionNet, RestormerBlock

CHANNELS = 16


def pairs() -> dict[str, tuple[nn.Module, int, int]]:
    """The networks by name, each with the number and the channels of its inputs."""
    torch.manual_seed(0)
    return {
        f"Restormer block, {CHANNELS} channels": (RestormerBlock(CHANNELS), 1, CHANNELS),
        f"Restormer block, {2 * CHANNELS} channels": (RestormerBlock(2 * CHANNELS), 1, 2 * CHANNELS),
        "ReFusionNet": (ReFusionNet(), 2, 1),
        "LossGenerator": (LossGenerator(), 2, 1),
    }


def forward(network: nn.Module, inputs: list[Tensor]) -> Callable[[], Tensor]:
    """Inference."""

    def run() -> Tensor:
        with torch.no_grad():
            return network(*inputs)

    return run


def forward_backward(network: nn.Module, inputs: list[Tensor]) -> Callable[[], None]:
    """A gradient with respect to the parameters and the inputs."""
    wanted = [*network.parameters(), *(x.requires_grad_() for x in inputs)]

    def run() -> None:
        torch.autograd.grad(network(*inputs).square().mean(), wanted)

    return run


def compare(network: nn.Module, count: int, channels: int, size: int, batch: int, repeats: int) -> dict[str, float]:
    """Times one network and its straightforward form, in turn."""
    network = network.to(device())
    inputs = [torch.rand(batch, channels, size, size, device=device()) for _ in range(count)]
    both = {"ours": network, "theirs": straightforward.like(network)}
    outputs = {side: forward(module, inputs)() for side, module in both.items()}
    row = {
        "difference": (outputs["ours"] - outputs["theirs"]).abs().max().item(),
        "magnitude": outputs["theirs"].abs().max().item(),
    }
    for kind, make in (("forward", forward), ("backward", forward_backward)):
        runs = {side: make(module, [x.detach() for x in inputs]) for side, module in both.items()}
        taken = {side: Result() for side in runs}
        for run in runs.values():
            run()
        for _ in range(repeats):
            for side, run in runs.items():
                taken[side].times.append(seconds(run, device()))
        row |= {f"{kind}_{side}": result.time for side, result in taken.items()}
        row[f"{kind}_faster"] = taken["theirs"].over(taken["ours"])
    return row


def main() -> None:
    """Prints a row of figures for each network."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("size", 160), ("batch", 2), ("threads", os.cpu_count() or 1), ("repeats", 9)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    rows = {name: compare(*pair, options.size, options.batch, options.repeats) for name, pair in pairs().items()}
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
