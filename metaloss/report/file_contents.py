"""What a file of weights holds, in words: a file may say anything of itself, and is shown as text alone."""

from __future__ import annotations

import os
import re
import reprlib
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from metaloss.errors import MetaLossError
from metaloss.networks.official import is_official
from metaloss.plugins.fitting import weights_in
from metaloss.plugins.manager import find
from metaloss.plugins.published import recognised
from metaloss.plugins.records import PublishedNetwork
from metaloss.plugins.weights import load_fusion, part_state, spec_of
from metaloss.runtime import files

_SHORT = reprlib.Repr()  # a list may hold itself, or another one a million times
_SHORT.maxlevel, _SHORT.maxstring, _SHORT.maxlist, _SHORT.maxtuple, _SHORT.maxdict = 3, 80, 12, 12, 12
_IDLE = re.compile(r"_optimizer\.(?!lr$)")  # what optimizers are seldom given
_LONGEST, _MOST = 160, 40  # characters of a value, settings that are shown
_PARTS = {"fusion": "fusion network", "loss": "loss generator", "task": "task network"}


@dataclass(frozen=True)
class _Called:
    """How a file is called: in Python, in a shell, and as what makes a fuser of it."""

    path: str
    option: str
    fuser: str

    @classmethod
    def of(cls, path: str | os.PathLike[str], given: str | None) -> _Called:
        named = given is not None and given != str(path)  # weights that come with the package
        fuser = f"metaloss.Fuser.pretrained({given!r})" if named else f"metaloss.Fuser.load({str(path)!r})"
        return cls(str(path), shlex.quote(given or str(path)), fuser)


def lines_of(path: str | os.PathLike[str], given: str | None = None) -> list[str]:
    """Describes a file of weights.

    Args:
        path: the file; read as data, nothing in it is run.
        given: how it is called in commands; default: by its path.

    Returns:
        What kind of file it is; its networks, progress, settings, data and versions, as far as it says; and commands
        that use it.

    Raises:
        CheckpointError: no such file, damaged, not a file of weights, or with code in it.
    """
    content = files.load(path)
    rows = [("size", f"{Path(path).stat().st_size / 1e6:.2f} MB")]
    called = _Called.of(path, given)
    ours = content.get("metaloss")
    if isinstance(ours, Mapping):
        kind = "a checkpoint of metaloss"
        rows += _of_checkpoint(content, ours)
        rows += _uses(called, content)
    elif is_official(content):
        kind = "the published weights of the fusion network of ReFusion and TDFusion"
        rows += [("tensors", f"{_tensors(content)}; those of convolutions are there twice"), *_fused_by(called)]
    elif names := recognised([content]):
        kind = f"the published weights of {' or of '.join(map(repr, names))}"
        rows += [("tensors", _tensors(_largest(content))), *_of_published(names[0]), *_fused_by(called, names)]
    elif weights := _largest(content):
        kind = "a state dict of no network that is known here"
        first = ", ".join(_plain(name, 60) for name in list(weights)[:4])
        rows += [("tensors", _tensors(weights)), ("first", first)]
        rows += [("use", f"metaloss.load({called.path!r}, fusion=network), with the network that it belongs to")]
    else:
        kind = "a file of plain values, without weights"
        rows += [("keys", ", ".join(_plain(key, 60) for key in list(content)[:12]) or "none")]
    width = max(len(name) for name, _ in rows)
    return [f"{_plain(path)}: {kind}", *(f"  {name:{width}}  {text}" for name, text in rows)]


def _of_checkpoint(content: Mapping[str, Any], ours: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for part, name in _PARTS.items():
        weights = part_state(content, part)
        spec = spec_of(content, "generator" if part == "loss" else part)
        if weights or spec:
            said = f"{_called(spec)}; " if spec else ""
            yield name, said + (_tensors(weights) if weights else "no weights")
    progress = content.get("progress", content.get("meta"))
    if isinstance(progress, Mapping) and "epoch" in progress:
        step = progress.get("step")
        yield "epoch", _plain(progress["epoch"]) + (f", and {_plain(step)} steps of the next" if step else "")
    for part, name in (("settings", "settings"), ("data", "data"), ("versions", "versions")):
        values = ours.get(part)
        if isinstance(values, Mapping) and values:
            telling = {key: value for key, value in values.items() if not _IDLE.search(str(key)[:_LONGEST])}
            shown = [f"{_plain(key, 60)}={_plain(value)}" for key, value in list(telling.items())[:_MOST]]
            more = [f"and {len(values) - len(shown)} more"] if len(values) > len(shown) else []
            yield name, ", ".join([*shown, *more])


def _uses(called: _Called, content: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Commands that work with a checkpoint, found out by loading it."""
    spec = spec_of(content, "fusion") or {}
    if "name" in spec:
        try:
            load_fusion(called.path)
        except MetaLossError as error:
            yield "problem", _plain(str(error), 400)
        else:
            yield from _fused_by(called)
    elif "config" in spec:
        yield "use", f"metaloss fuse IR VI --weights {called.option} --config CONFIG --out fused, where it has imports"
    else:
        yield "use", f"metaloss fuse IR VI --weights {called.option} --network FILE.py:FUNCTION --out fused"
        yield "in Python", f"metaloss.load({called.path!r}, fusion=network)"
    if spec_of(content, "generator") is not None:
        yield "its loss", f"metaloss weights IR VI --weights {called.option} --out maps"


def _fused_by(called: _Called, names: list[str] | None = None) -> list[tuple[str, str]]:
    network = f" --network {names[0]}" if names and len(names) > 1 else ""
    return [
        ("use", f"metaloss fuse IR VI --weights {called.option}{network} --out fused"),
        ("in Python", f"{called.fuser}(ir, vi)"),
    ]


def _of_published(name: str) -> list[tuple[str, str]]:
    record = find("fusion_networks", name)
    if not isinstance(record, PublishedNetwork):
        return []
    rows = [("paper", record.paper), ("learnt from", record.data), ("range", record.range)]
    return [(label, text) for label, text in rows if text]


def _called(spec: Mapping[str, Any]) -> str:
    """A network as its spec names it."""
    if "name" in spec:
        given = spec.get("arguments")
        arguments = given.items() if isinstance(given, Mapping) else ()
        shown = ", ".join(f"{_plain(key, 40)}={_plain(value, 60)}" for key, value in list(arguments)[:_MOST])
        return f"{_plain(spec['name'], 60)}({shown})"
    if "config" in spec:
        config = spec["config"]
        return f"{_plain(config.get('type') if isinstance(config, Mapping) else config)}, from a training config"
    return f"{_plain(spec.get('class', 'a network'))}, which no name stands for"


def _largest(content: Mapping[Any, Any]) -> dict[str, Tensor]:
    return max(weights_in(content), key=len, default={})


def _tensors(weights: Mapping[str, Any]) -> str:
    tensors = [value for value in weights.values() if isinstance(value, Tensor)]
    kinds = Counter(str(value.dtype).removeprefix("torch.") for value in tensors)
    count = sum(value.numel() for value in tensors)
    return f"{count:,} numbers in {len(tensors)} tensors ({', '.join(sorted(kinds))})"


def _plain(value: Any, longest: int = _LONGEST) -> str:
    """A value as one line of printable text; a file may hold anything, control characters of terminals as well."""
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    try:
        text = str(value) if isinstance(value, (str, os.PathLike)) else _SHORT.repr(value)
    except ValueError:  # a number of too many digits
        return f"a {type(value).__name__} that is too long to show"
    text = "".join(letter if letter.isprintable() else " " for letter in text[: longest + 1])
    return text if len(text) <= longest else f"{text[:longest]}..."
