"""A learner's whole state: what it is made of, and how it is taken up again."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torch.optim import Optimizer

from metaloss.errors import CheckpointError
from metaloss.plugins import difference
from metaloss.runtime import files

if TYPE_CHECKING:
    from metaloss.training.learner import MetaLearner

NETWORKS = ("fusion", "loss", "task")
_MOMENTS = {"exp_avg", "exp_avg_sq", "max_exp_avg_sq", "momentum_buffer"}  # of torch's own optimizers


def state_of(learner: MetaLearner) -> dict[str, Any]:
    """Everything that training needs to go on; see :meth:`metaloss.MetaLearner.state_dict`."""
    return {
        **{name: getattr(learner, name).state_dict() for name in NETWORKS},
        "optimizers": {
            name: None if optimizer is None else optimizer.state_dict()
            for name, optimizer in learner.optimizers.items()
        },
        "schedulers": [scheduler.state_dict() for scheduler in learner.schedulers],
        "pending": learner.progress_state(),
        "random": files.random_state(),
        "progress": {**learner.progress, "log": list(learner.progress["log"])},
    }


def take_up(learner: MetaLearner, state: Mapping[str, Any]) -> None:
    """Takes up what :func:`state_of` gave, the global random state included.

    Raises:
        CheckpointError: a part is missing, or belongs to another network or optimizer; nothing has changed then.
    """
    before = copy.deepcopy(state_of(learner))
    try:
        _check(learner, state)
        _take_up(learner, state)
    except CheckpointError:
        raise
    except Exception as error:  # a part of another form raises nearly anything
        _take_up(learner, before)
        raise CheckpointError(
            f"the learner's state cannot be taken up ({type(error).__name__}: {' '.join(str(error).split())[:120]})"
        ) from error


def _take_up(learner: MetaLearner, state: Mapping[str, Any]) -> None:
    for name in NETWORKS:
        getattr(learner, name).load_state_dict(state[name])
    for name, saved in state["optimizers"].items():
        if saved is not None:
            learner.optimizer(name).load_state_dict(saved)
        elif (optimizer := learner.optimizers[name]) is not None:
            optimizer.state.clear()
    for scheduler, saved in zip(learner.schedulers, state.get("schedulers", ()), strict=True):
        scheduler.load_state_dict(saved)
    learner.load_progress_state(state["pending"])
    learner.progress = {**state["progress"], "log": list(state["progress"]["log"])}
    files.restore_random_state(state["random"])


def _check(learner: MetaLearner, state: Mapping[str, Any]) -> None:
    missing = [key for key in (*NETWORKS, "optimizers", "pending", "random", "progress") if key not in state]
    if missing:
        raise CheckpointError(f"the learner's state lacks {missing}: expected what state_dict() gave")
    for name in NETWORKS:
        mismatch = difference(getattr(learner, name), state[name])
        if mismatch:
            raise CheckpointError(
                f"the saved {name} network is not this {type(getattr(learner, name)).__name__}: {mismatch}"
            )
    for name, saved in state["optimizers"].items():
        if saved is not None and _group_sizes(saved) != _group_sizes(learner.optimizer(name).state_dict()):
            raise CheckpointError(
                f"the saved {name} optimizer has parameter groups of {_group_sizes(saved)} tensors and this one "
                f"of {_group_sizes(learner.optimizer(name).state_dict())}: build it as it was when it was saved"
            )
        if saved is not None:
            _check_moments(name, learner.optimizer(name), saved)
    if len(state.get("schedulers", ())) != len(learner.schedulers):
        raise CheckpointError(
            f"the state has {len(state.get('schedulers', ()))} schedulers and the learner {len(learner.schedulers)}"
        )


def _group_sizes(state: Mapping[str, Any]) -> list[int]:
    return [len(group["params"]) for group in state["param_groups"]]


def _check_moments(name: str, optimizer: Optimizer, state: Mapping[str, Any]) -> None:
    """Checks that the moments which an optimizer keeps have their parameters' shapes; torch would fail in a step."""
    params = [param for group in optimizer.param_groups for param in group["params"]]
    for number, kept in state["state"].items():
        for key in _MOMENTS.intersection(kept):
            value, shape = kept[key], params[number].shape
            if value is not None and getattr(value, "shape", None) != shape:
                raise CheckpointError(
                    f"the saved {name} optimizer's {key!r} of parameter {number} has not its shape {tuple(shape)}: it "
                    "is another network's, or damaged"
                )
