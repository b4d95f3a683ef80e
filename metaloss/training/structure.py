"""Whether a checkpoint can be what metaloss has written: a file that is not is taken for a damaged one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from metaloss.errors import CheckpointError
from metaloss.training.parts import PARTS

KEYS = (*PARTS, "optimizers", "schedulers", "pending", "random", "progress")
_ADAM = {"step", "exp_avg", "exp_avg_sq"}  # what torch's Adam, and its kin, keep together


def check_structure(content: Mapping[str, Any]) -> None:
    """Checks the form of a checkpoint, whatever networks it is of.

    Raises:
        CheckpointError: naming the first part that no checkpoint has like that.
    """
    missing = [key for key in KEYS if key not in content]
    if missing:
        raise CheckpointError(f"it lacks {missing}: expected what metaloss writes")
    for place, wrong in _faults(content):
        if wrong:
            raise CheckpointError(f"{place} cannot be taken up: it is not of the form in which metaloss writes it")


def _faults(content: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    """Gives the parts in an order in which each may rely on those before, and whether they are wrong."""
    for name in PARTS:
        yield f"{name!r}", not _is_state(content[name])
    yield "'metaloss'", not _is_about(content.get("metaloss", {}))
    optimizers = content["optimizers"]
    yield "'optimizers'", not (isinstance(optimizers, Mapping) and optimizers.keys() == set(PARTS))
    for name, saved in optimizers.items():
        if saved is not None:
            yield f"the {name} optimizer", not _is_optimizer(saved)
    schedulers = content["schedulers"]
    yield "'schedulers'", not (isinstance(schedulers, list) and all(map(_is_scheduler, schedulers)))
    yield "'progress'", not _is_progress(content["progress"])
    yield "'pending'", not _is_pending(content["pending"])
    random = content["random"]
    yield "'random'", not (isinstance(random, Mapping) and {"torch", "numpy", "python"} <= random.keys())


def _is_state(part: Any) -> bool:
    return isinstance(part, Mapping) and all(
        isinstance(key, str) and not (isinstance(value, Tensor) and bool(value.isnan().any()))
        for key, value in part.items()
    )


def _is_about(ours: Any) -> bool:
    return isinstance(ours, Mapping) and all(
        isinstance(ours.get(part, {}), Mapping) and not _holds_tensors(ours.get(part)) for part in ("settings", "data")
    )


def _holds_tensors(part: Any) -> bool:
    if isinstance(part, Mapping):
        return any(map(_holds_tensors, part.values()))
    return isinstance(part, Tensor) or (isinstance(part, (list, tuple)) and any(map(_holds_tensors, part)))


def _is_finite(value: Any) -> bool:
    if isinstance(value, Tensor):
        return not (value.is_floating_point() or value.is_complex()) or bool(value.isfinite().all())
    return not isinstance(value, float) or value - value == 0


def _is_optimizer(saved: Any) -> bool:
    if not isinstance(saved, Mapping) or not {"state", "param_groups"} <= saved.keys():
        return False
    groups, state = saved["param_groups"], saved["state"]
    if not isinstance(groups, list) or not isinstance(state, Mapping):
        return False
    for group in groups:
        rate = group.get("lr") if isinstance(group, Mapping) else None
        if not isinstance(rate, (int, float, Tensor)) or not _is_finite(rate) or "params" not in group:
            return False
    return all(isinstance(kept, Mapping) and _are_moments(kept) for kept in state.values())


def _are_moments(kept: Mapping[str, Any]) -> bool:
    whole = kept.keys() >= _ADAM or not {"exp_avg", "exp_avg_sq"} & kept.keys()
    moments = [value for value in kept.values() if isinstance(value, Tensor) and value.ndim]
    return whole and all((value.is_floating_point() or value.is_complex()) and _is_finite(value) for value in moments)


def _is_scheduler(saved: Any) -> bool:
    return (
        isinstance(saved, Mapping)
        and isinstance(saved.get("class"), str)
        and isinstance(saved.get("state"), Mapping)
        and bool(saved["state"])
        and "optimizer" not in saved["state"]
    )


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_progress(progress: Any) -> bool:
    if not isinstance(progress, Mapping) or not {"epoch", "step", "means", "seed", "log"} <= progress.keys():
        return False
    means, log = progress["means"], progress["log"]
    return (
        _is_count(progress["epoch"])
        and _is_count(progress["step"])
        and (progress["seed"] is None or _is_count(progress["seed"]))
        and isinstance(log, list)
        and len(log) == progress["epoch"]
        and all(isinstance(entry, Mapping) for entry in log)
        and isinstance(means, Mapping)
        and all(isinstance(part, Mapping) and part.keys() == {"sums", "counts"} for part in means.values())
    )


def _is_pending(pending: Any) -> bool:
    if not isinstance(pending, Mapping) or not {"gradients", "count", "skipped", "meta"} <= pending.keys():
        return False
    gradients, meta = pending["gradients"], pending["meta"]
    return (
        isinstance(gradients, Mapping)
        and all(isinstance(value, Tensor) and _is_finite(value) for value in gradients.values())
        and _is_count(pending["count"])
        and (pending["count"] > 0) == bool(gradients)
        and _is_count(pending["skipped"])
        and isinstance(meta, Mapping)
        and _is_count(meta.get("count"))
    )


def same_kind(value: Any, own: Tensor) -> bool:
    """Whether a saved tensor holds numbers of its place's kind: real, complex, whole or truth values."""
    kinds = (torch.Tensor.is_floating_point, torch.Tensor.is_complex)
    if not isinstance(value, Tensor):
        return False
    return all(kind(value) == kind(own) for kind in kinds) and (value.dtype == torch.bool) == (own.dtype == torch.bool)
