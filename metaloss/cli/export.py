"""``metaloss export``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import typer

from metaloss.cli.chosen_weights import choose
from metaloss.errors import ConfigError
from metaloss.inference.export import ENDINGS, Exported, check_path, export
from metaloss.runtime import files
from metaloss.runtime.folders import check_folder


def export_network(
    weights: list[Path] = typer.Option(
        [],
        metavar="FILE",
        help="A checkpoint of ours, or a file that the authors of a network have published; repeated where they have "
        "published its parts. Default: ivif, those that come with metaloss for infrared and visible images.",
    ),
    out: Path | None = typer.Option(None, metavar="FILE", help="What to write, F.onnx, F.pt2 or F.pth. [required]"),
    network: str | None = typer.Option(
        None,
        metavar="NAME|FILE.py:FUNCTION",
        help="The network of the weights, one of `metaloss list`, as NAME or NAME:ARGUMENT=VALUE,..., or what a "
        "function gives; default: what they fit.",
    ),
    sources: str = typer.Option(
        "",
        metavar="NAME,NAME",
        help="Names of the inputs, in the network's order; default: the sources of the training, where the weights say "
        "them, else source_1,source_2.",
    ),
    size: str | None = typer.Option(
        None, metavar="HxW", help="Height and width, where the network takes no others; default: any."
    ),
    config: str | None = typer.Option(
        None,
        metavar="CONFIG",
        help="The training config of the weights, where it imports modules of its own: those are allowed.",
    ),
) -> None:
    """Write a fusion network as a file of its own: ONNX, or a program of torch, or its weights alone."""
    chosen = choose(weights, network)
    if out is None:
        raise ConfigError(f"--out is missing: give a file whose name ends in {ENDINGS}")
    check_path(out)
    check_folder(out.parent, f"--out {out}:")
    height_and_width = None if size is None else _size(size)
    names = [name.strip() for name in sources.split(",")] if sources else _sources_of(chosen.files)
    fusion = chosen.load(config)
    chosen.announce(fusion)
    written = export(fusion, out, sources=names, size=height_and_width)
    shapes = ", ".join("x".join(map(str, shape)) for shape in written.shapes)
    typer.echo(
        f"{written.path}: {written.bytes / 1e6:.1f} MB, inputs {', '.join(written.sources)} (batch, 1, height, width), "
        f"{_sizes(written)}; differs by {written.deviation:.1g} at most from the network "
        f"(checked at {shapes})"
    )


def _sizes(written: Exported) -> str:
    if written.size:
        return "x".join(map(str, written.size))
    return f"height and width multiples of {written.multiple}" if written.multiple > 1 else "any height and width"


def _sources_of(weights: Sequence[Path]) -> list[str] | None:
    """The names that the sources had in training, where a checkpoint says them and they can be told apart."""
    ours = files.load(weights[0]).get("metaloss")
    data = ours.get("data") if isinstance(ours, dict) else None
    names = data.get("sources") if isinstance(data, dict) else None
    listed = list(names) if isinstance(names, (list, tuple)) else []
    usable = all(isinstance(name, str) for name in listed) and len(set(listed)) == len(listed) > 1
    return listed if usable and "fused" not in listed else None


def _size(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"([1-9]\d*)[xX,]([1-9]\d*)", text)
    if found is None:
        raise ConfigError(f"--size {text}: expected HEIGHTxWIDTH in pixels, as in 480x640")
    return int(found[1]), int(found[2])
