"""Forward time of the published fusion networks, ours against their authors' own code.

    python -m benchmarks.published_networks --repositories FOLDER [--size 480x640] [--threads 1] [--repeats 5]
        [--networks NAME ...] [--out FOLDER]

The folder holds clones of the authors' repositories under their own names; networks whose repository is not there are
left out. Both get the same random weights, and take turns in one process (theirs, ours, theirs, ours, ...); medians.
The largest difference of the images is shown as well. Writes ``published_networks.md``.
"""

from __future__ import annotations

import argparse
import importlib
import re
import statistics
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.measure import describe_machine, seconds
from benchmarks.report import render, row
from benchmarks.sections import Table
from metaloss.plugins import build_fusion, find
from metaloss.plugins.published import published_weights

Call = Callable[[Any, Tensor, Tensor], Tensor]
MEAN, DEVIATION = (torch.tensor(rgb).view(3, 1, 1) for rgb in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))


@dataclass(frozen=True)
class Authors:
    """Where a network lies in its authors' repository, and how it makes an image of two in [0, 1].

    Attributes:
        folder: of the repository, put on the path.
        module: to import.
        build: makes the network from the module; a ModuleDict of its parts where it has several.
        call: ``(network, ir, vi) -> fused``, in [0, 1].
    """

    folder: str
    module: str
    build: Callable[[Any], nn.Module]
    call: Call


def _normalised(x: Tensor) -> Tensor:
    return (x.repeat(1, 3, 1, 1) - MEAN) / DEVIATION


def _cddfuse(net: Any, ir: Tensor, vi: Tensor) -> Tensor:
    (vi_base, vi_detail, _), (ir_base, ir_detail, _) = net["DIDF_Encoder"](vi), net["DIDF_Encoder"](ir)
    base, detail = net["BaseFuseLayer"](vi_base + ir_base), net["DetailFuseLayer"](vi_detail + ir_detail)
    return net["DIDF_Decoder"](vi, base, detail)[0]


def _cddfuse_parts(module: Any) -> nn.ModuleDict:
    return nn.ModuleDict(
        {
            "DIDF_Encoder": module.Restormer_Encoder(),
            "DIDF_Decoder": module.Restormer_Decoder(),
            "BaseFuseLayer": module.BaseFeatureExtraction(dim=64, num_heads=8),
            "DetailFuseLayer": module.DetailFeatureExtraction(num_layers=1),
        }
    )


def _ifcnn(module: Any) -> nn.Module:
    return module.IFCNN(importlib.import_module("torchvision").models.resnet101(weights=None), fuse_scheme=0)


AUTHORS = {
    "cddfuse": Authors("MMIF-CDDFuse", "net", _cddfuse_parts, _cddfuse),
    "datfuse": Authors(
        "DATFuse", "Networks.network", lambda m: m.MODEL(in_channel=2), lambda n, ir, vi: n(torch.cat((ir, vi), 1))
    ),
    "densefuse": Authors(
        "densefuse-pytorch",
        "net",
        lambda m: m.DenseFuse_net(),
        lambda n, ir, vi: n.decoder(n.fusion(n.encoder(255 * ir), n.encoder(255 * vi)))[0] / 255,
    ),
    "didfuse": Authors(
        "IVIF-DIDFuse",
        "DIDFuse",
        lambda m: nn.ModuleDict({"encoder": m.AE_Encoder(), "decoder": m.AE_Decoder()}),
        lambda n, ir, vi: n["decoder"](*(a + b for a, b in zip(n["encoder"](ir), n["encoder"](vi), strict=True))),
    ),
    "ifcnn": Authors(
        "IFCNN/Code",
        "model",
        _ifcnn,
        lambda n, ir, vi: (n(_normalised(ir), _normalised(vi)) * DEVIATION + MEAN).mean(1, keepdim=True),
    ),
    "seafusion": Authors("SeAFusion", "FusionNet", lambda m: m.FusionNet(output=1), lambda n, ir, vi: n(vi, ir)),
    "tardal": Authors(
        "TarDAL", "module.fuse.generator", lambda m: m.Generator(32, 3), lambda n, ir, vi: n(ir, vi) / 2 + 0.5
    ),
    "u2fusion": Authors("U2Fusion-pytorch", "model", lambda m: m.DenseNet(), lambda n, ir, vi: n(ir, vi)),
    "ydtr": Authors("YDTR", "Networks.net", lambda m: m.MODEL(in_channel=1), lambda n, ir, vi: n(ir, vi)),
}


@contextmanager
def imported(folder: Path, module: str) -> Iterator[Any]:
    """Imports a module of a repository, and forgets what came with it: several call their files alike."""
    before, arguments = set(sys.modules), sys.argv
    sys.path.insert(0, str(folder))
    sys.argv = sys.argv[:1]  # one of them reads the command line when it is imported
    try:
        yield importlib.import_module(module)
    finally:
        sys.path.remove(str(folder))
        sys.argv = arguments
        for name in set(sys.modules) - before:
            if str(getattr(sys.modules[name], "__file__", "")).startswith(str(folder)):
                del sys.modules[name]


def both(name: str, folder: Path) -> tuple[Callable[..., Tensor], nn.Module]:
    """Builds their network and ours, of the same random weights, in evaluation mode.

    Args:
        name: of the network.
        folder: of the repositories.

    Raises:
        ValueError: their weights do not fit ours.
    """
    authors = AUTHORS[name]
    torch.manual_seed(0)
    with imported(folder / authors.folder, authors.module) as module:
        theirs = authors.build(module).eval()
    for key, value in theirs.state_dict().items():
        if "running" in key:
            value.uniform_(0.5, 1.5)
    ours = build_fusion(name).eval()
    parts = theirs.items() if isinstance(theirs, nn.ModuleDict) and name != "cddfuse" else [("", theirs)]
    files = [{f"{part}": module.state_dict()} if part else module.state_dict() for part, module in parts]
    weights, mismatch = published_weights(ours, find("fusion_networks", name), files)
    if mismatch:
        raise ValueError(f"{name}: {mismatch}")
    ours.load_state_dict(weights)
    return lambda ir, vi: authors.call(theirs, ir, vi), ours


def measured(name: str, folder: Path, size: str, repeats: int) -> dict[str, float]:
    """Times of both in turn, seconds, and the largest difference of their images."""
    height, width = map(int, size.split("x"))
    sources = torch.rand(2, 1, 1, height, width).unbind()
    networks = both(name, folder)
    taken: tuple[list[float], list[float]] = ([], [])
    with torch.no_grad():
        images = [network(*sources) for network in networks]
        for _ in range(repeats):
            for network, times in zip(networks, taken, strict=True):
                times.append(seconds(lambda network=network: network(*sources), torch.device("cpu")))
    ratios = [theirs / ours for theirs, ours in zip(*taken, strict=True)]
    return {
        "theirs": statistics.median(taken[0]),
        "ours": statistics.median(taken[1]),
        "times faster": statistics.median(ratios),
        "difference": float((images[0] - images[1]).abs().max()),
    }


def main(arguments: list[str] | None = None) -> None:
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repositories", type=Path, required=True)
    parser.add_argument("--networks", nargs="+", choices=AUTHORS, default=list(AUTHORS))
    parser.add_argument("--size", default="480x640")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("work_dirs/bench"))
    given = parser.parse_args(arguments)
    there = [name for name in given.networks if (given.repositories / AUTHORS[name].folder).is_dir()]
    if not there:
        folders = ", ".join(AUTHORS[name].folder for name in given.networks)
        parser.error(f"--repositories {given.repositories}: none of {folders} is in it")
    if re.fullmatch(r"\d+x\d+", given.size) is None:
        parser.error(f"--size {given.size}: expected height and width, as 480x640")
    torch.set_num_threads(given.threads)
    machine = describe_machine(torch.device("cpu"), given.threads)
    print(machine, flush=True)
    header = ("network", "theirs, s", "ours, s", "times faster", "largest difference")
    table = Table(f"One pair of {given.size} pixels, float32", header)
    for name in there:
        figures = measured(name, given.repositories, given.size, given.repeats)
        times = (f"{figures['theirs']:.3f}", f"{figures['ours']:.3f}", f"{figures['times faster']:.2f}")
        table.rows.append((name, *times, f"{figures['difference']:.0e}"))
        print(row(table.rows[-1]), flush=True)
    given.out.mkdir(parents=True, exist_ok=True)
    report = f"# Published fusion networks\n\nMeasured on {machine}.\n\n{render(table)}"
    (given.out / "published_networks.md").write_text(report)
    print(f"\nwritten: {given.out}/published_networks.md")


if __name__ == "__main__":
    main()
