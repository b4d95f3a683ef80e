"""Writes a fusion network as a file of its own: ONNX, or a program of ``torch.export``, or its weights alone."""

from __future__ import annotations

import copy
import importlib.util
import io
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from metaloss.errors import ConfigError, PluginError, at_least
from metaloss.inference.alone import weights_alone
from metaloss.inference.tracing import ONE_SIZE, Exportable, Size, fused_by, images, reason, silence, stride_of, traced
from metaloss.networks.calling import name_of
from metaloss.networks.spec import source_count
from metaloss.networks.wrappers import unwrapped
from metaloss.runtime.files import written_whole
from metaloss.runtime.versions import version_of

TOLERANCE = 1e-4
SUFFIXES = (".onnx", ".pt2", ".pth")
ENDINGS = f"{', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}"
METADATA = "metaloss.json"  # the part of a .pt2 file that says what ONNX's own metadata say
_PACKAGES = ("onnx", "onnxruntime", "onnxscript")
_SIZES = ((1, 48, 64), (2, 61, 83), (1, 352, 304))  # the last one is large enough for ReFusionNet's bands

Run = Callable[[Sequence[Tensor]], Tensor]


@dataclass(frozen=True)
class Exported:
    """What was written, and how it was checked.

    Attributes:
        path: the file.
        sources: the names of its inputs, in their order.
        size: the one height and width that it takes, or ``None`` for any.
        multiple: pixels of which height and width have to be multiples.
        shapes: batch, height and width of the images that it was checked with.
        deviation: the largest difference from the network's own images, which lie in [0, 1].
        bytes: the file's size.
    """

    path: Path
    sources: tuple[str, ...]
    size: Size | None
    multiple: int
    shapes: tuple[tuple[int, int, int], ...]
    deviation: float
    bytes: int


def export(
    network: nn.Module,
    path: str | os.PathLike[str],
    *,
    sources: Sequence[str] | None = None,
    size: Size | None = None,
) -> Exported:
    """Writes a fusion network as ``F.onnx``, ``F.pt2`` or ``F.pth``, and checks that the file gives the same images.

    ``F.pth`` holds the weights alone, without the rest of a training: for :class:`metaloss.Fuser`,
    :func:`metaloss.load` and ``--weights``. The others run without metaloss: they take float32 luma (B, 1, H, W) in
    [0, 1] for each source and give the fused luma, for any batch and any
    height and width of 16 or more, of which a network with a stride takes multiples.

    Args:
        network: ``(*sources) -> fused``, on any device; it stays as it is.
        path: the file; nothing is written where the check fails.
        sources: names of the inputs, in the network's order; default: ``source_1``, ``source_2`` ..., two where the
            network does not say how many it takes.
        size: height and width, for a network that takes no others or cannot be traced for any.

    Returns:
        What was written.

    Raises:
        ConfigError: no network, another suffix, names that cannot be inputs', a size that is none, a network that
            fails or cannot be exported, or one whose file gives other images; with the nearest fix.
        PluginError: ONNX's packages are not installed.
        MetaLossError: the network cannot be called with that many grey sources.

    Examples:
        >>> import torch
        >>> import metaloss
        >>> network = metaloss.Concatenated(torch.nn.Conv2d(2, 1, 3, padding=1))
        >>> metaloss.export(network, "fusion.pt2", sources=("ir", "vi")).deviation < 1e-4
        True
    """
    path = check_path(path)
    _check(network, size)
    names, module = _names(network, sources), Exportable(network)
    alone = path.suffix.lower() == ".pth"
    if alone and size:
        raise ConfigError(f"size={size}: {path.name} holds weights, which are of no size; leave it out")
    stride = 1 if size or alone else stride_of(module, len(names))
    if stride is None:
        raise ConfigError(
            f"{name_of(module.network)} takes squares or one size alone: {ONE_SIZE} exports it for images of one size"
        )
    shapes = tuple(
        (batch, -(-height // stride) * stride, -(-width // stride) * stride) for batch, height, width in _SIZES
    )
    if size:
        shapes = ((1, *size), (2, *size))
    own = copy.deepcopy(unwrapped(network)).cpu().float()
    expected = [fused_by(own, images(len(names), shape)) for shape in shapes]
    described = describe(network, names, stride, size)
    if alone:
        content, run = weights_alone(network, names, _ranges(network))
    else:
        program = traced(module, len(names), stride, size)
        content, run = (_onnx if path.suffix.lower() == ".onnx" else _pt2)(program, names, described)
    deviation = _deviation(run, len(names), shapes, expected, path)
    with written_whole(path) as file:
        file.write(content)
    return Exported(path, names, size, stride, shapes, deviation, len(content))


def _check(network: Any, size: Any) -> None:
    if not isinstance(network, nn.Module):
        fix = ""
        if isinstance(network, (str, os.PathLike)):
            fix = "; metaloss.load(path) makes one of a file"
        elif isinstance(getattr(network, "network", None), nn.Module):
            fix = "; give its network, fuser.network"
        raise ConfigError(f"export({network!r}): expected a network, an nn.Module{fix}")
    if size is None:
        return
    if not isinstance(size, (tuple, list)) or len(size) != 2:
        raise ConfigError(f"size={size!r}: expected height and width in pixels, (480, 640)")
    for side in size:
        at_least("a side of size", side, 1, "export")


def check_path(path: str | os.PathLike[str]) -> Path:
    """Checks the kind of the file that is to be written, and that its packages are there.

    Raises:
        ConfigError: another suffix than :data:`SUFFIXES`.
        PluginError: a package is missing.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES or path.is_dir():
        raise ConfigError(f"{path}: expected a file whose name ends in {ENDINGS}")
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if path.suffix.lower() == ".onnx" and missing:
        raise PluginError(
            f"{path.name} needs {', '.join(missing)}, not installed: pip install 'metaloss[export]', or write F.pt2"
        )
    return path


def describe(network: nn.Module, sources: Sequence[str], multiple: int, size: Size | None) -> dict[str, str]:
    """What a file says of itself, as texts."""
    return {
        "metaloss_version": version_of("metaloss") or "",
        "network": name_of(unwrapped(network)),
        "sources": json.dumps(list(sources)),
        "size": f"{size[0]}x{size[1]}" if size else "any",
        "multiple": str(multiple),
        "value_range": "sources in [0, 1]; fused in [0, 1], to be clamped",
        "files_range": json.dumps(_ranges(network) or ["full"] * len(sources)),
        "colour": "Y of YCbCr (BT.601, full range), 0.299 R + 0.587 G + 0.114 B; the fused Y with the Cb and Cr of a "
        "source is the fused image in colour",
    }


def _ranges(network: nn.Module) -> list[str]:
    """With which range each source was read in training, where that is known."""
    trained = getattr(unwrapped(network), "metaloss_range", None)
    return [str(each) for each in trained.ranges] if trained else []


def _names(network: nn.Module, sources: Sequence[str] | None) -> tuple[str, ...]:
    count = source_count(unwrapped(network))
    if sources is None:
        return tuple(f"source_{number + 1}" for number in range(count or 2))
    names = tuple(sources)
    texts = all(isinstance(name, str) and name.strip() for name in names)
    if isinstance(sources, str) or not texts or not 0 < len(set(names)) == len(names) or "fused" in names:
        raise ConfigError(f"sources={sources!r}: expected different names of the inputs, none of them 'fused'")
    if count not in (None, len(names)):
        raise ConfigError(f"sources={sources!r}: {name_of(unwrapped(network))} was built for {count} sources")
    return names


def _onnx(program: torch.export.ExportedProgram, names: Sequence[str], described: dict[str, str]) -> tuple[bytes, Run]:
    import onnxruntime

    try:
        with silence():
            converted: Any = torch.onnx.export(
                program, dynamo=True, verbose=False, input_names=list(names), output_names=["fused"]
            )
            _name_axes(converted.model, free=described["size"] == "any")
            proto = converted.model_proto
            for key, value in described.items():
                proto.metadata_props.add(key=key, value=value)
            content: bytes = proto.SerializeToString()
            options = onnxruntime.SessionOptions()
            options.log_severity_level = 3
            session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ConfigError(
            f"{described['network']} has no ONNX form ({reason(error)}): write F.pt2, which torch alone runs"
        ) from error

    def run(sources: Sequence[Tensor]) -> Tensor:
        given = {name: source.numpy() for name, source in zip(names, sources, strict=True)}
        return torch.from_numpy(session.run(None, given)[0])

    return content, run


def _name_axes(model: Any, *, free: bool) -> None:
    """Says what the free axes of inputs and output are; the tracer numbers them."""
    import onnx_ir

    for value in (*model.graph.inputs, *model.graph.outputs):
        sides = ["height", "width"] if free else value.shape[2:]
        value.shape = onnx_ir.Shape(["batch", 1, *sides])


def _pt2(program: torch.export.ExportedProgram, names: Sequence[str], described: dict[str, str]) -> tuple[bytes, Run]:
    buffer = io.BytesIO()
    with silence():
        torch.export.save(program, buffer, extra_files={METADATA: json.dumps(described, indent=1)})
        loaded = torch.export.load(io.BytesIO(buffer.getvalue())).module()
    return buffer.getvalue(), lambda sources: loaded(*sources)


def _deviation(
    run: Run, count: int, shapes: Sequence[tuple[int, int, int]], expected: Sequence[Tensor], path: Path
) -> float:
    """The largest difference, over all shapes.

    Raises:
        ConfigError: the file fails, or gives other images.
    """
    largest = 0.0
    for shape, image in zip(shapes, expected, strict=True):
        size = f"{shape[0]} image{'s' * (shape[0] > 1)} of {shape[1]}x{shape[2]}"
        try:
            with torch.no_grad():
                given = run(images(count, shape))
        except Exception as error:
            raise ConfigError(
                f"{path.name} was not written: it fails on {size} ({reason(error)}); {ONE_SIZE} exports "
                "the network for images of one size"
            ) from error
        if given.shape != image.shape:
            raise ConfigError(f"{path.name} was not written: it gives {tuple(given.shape)} for {size}")
        difference = float((given - image).abs().max())
        if not difference <= TOLERANCE:
            raise ConfigError(
                f"{path.name} was not written: on {size} it differs from the network by {difference:.2g}, and "
                f"{TOLERANCE:g} is allowed; another of {ENDINGS} may not"
            )
        largest = max(largest, difference)
    return largest
