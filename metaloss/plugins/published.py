"""Published networks and the files of their authors, which are recognised by the names and shapes in them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from metaloss.errors import CheckpointError
from metaloss.plugins.fitting import Weights, fitting
from metaloss.plugins.manager import records
from metaloss.plugins.records import PublishedNetwork, Record

Contents = Sequence[Mapping[Any, Any]]


def published_weights(module: nn.Module, record: Record, contents: Contents) -> tuple[Weights, str]:
    """Takes a network's weights out of its authors' files.

    Args:
        module: the network.
        record: that it was built from.
        contents: of the files.

    Returns:
        The weights under the network's own names, and why they do not fit: empty where they do.
    """
    rename = record.renamed if isinstance(record, PublishedNetwork) and record.rename is not None else None
    try:
        return fitting(module, contents, rename)
    except (ValueError, KeyError, TypeError, AttributeError) as error:  # of a plug-in's rename
        return {}, f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"


def recognised(contents: Contents) -> list[str]:
    """The published networks whose weights the files hold, together and completely."""
    return [record.name for record, module in _published() if not published_weights(module, record, contents)[1]]


def refusal(contents: Contents, paths: Sequence[str | os.PathLike[str]], reason: str) -> CheckpointError:
    """Makes the error for files that hold other weights than were asked for, and says of which network they are.

    Args:
        contents: of the files.
        paths: of the files.
        reason: what is wrong with them.
    """
    found = recognised(contents)
    each = [recognised([content]) for content in contents] if len(contents) > 1 else []
    partly = [record for record, module in _published() if _is_part(module, record, contents)]
    if found:
        fix = f"they are the weights of {' or of '.join(map(repr, found))}"
    elif each and all(each):
        fix = f"each holds all weights of a network, {', '.join(repr(names[0]) for names in each)}: give one of them"
    elif partly:
        fix = (
            f"they are a part of the weights of {partly[0].name!r}, whose files are {partly[0].weights or 'several'}: "
            "give all of them"
        )
    else:
        names = ", ".join(record.name for record, _ in _published())
        fix = f"they fit no published network that is known here ({names})"
    return CheckpointError(f"{' and '.join(map(str, paths))}: {reason}; {fix}")


def _is_part(module: nn.Module, record: Record, contents: Contents) -> bool:
    own = module.state_dict()
    weights, _ = published_weights(module, record, contents)
    counters = {name for name in own if name.endswith("num_batches_tracked")}
    shared = [name for name in weights if name in own and own[name].shape == weights[name].shape]
    return len(shared) == len(weights) and not counters.issuperset(weights)


def _published() -> Iterator[tuple[PublishedNetwork, nn.Module]]:
    """Every published network that can be built here, without memory for its weights."""
    for record in records("fusion_networks").values():
        if not isinstance(record, PublishedNetwork) or record.missing():
            continue
        try:
            with torch.device("meta"):
                module = record.load()()
        except Exception:  # some networks compute with their weights when they are built
            continue
        yield record, module
