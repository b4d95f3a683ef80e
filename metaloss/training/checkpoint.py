"""What a checkpoint holds, whoever writes it: a learner's whole state, its settings and what it was trained on.

A checkpoint is a dict of tensors and plain values:

- ``fusion``, ``loss``, ``task``: state dicts of the networks;
- ``optimizers``: of each its state, or ``None``; ``schedulers``: their states, in order;
- ``pending``: the meta-gradients that wait for an update of G; ``random``: the states of all generators;
- ``processes``: where several have trained together, what each of them had of ``random`` and of ``buffers``;
- ``progress``: where the training stands (:class:`metaloss.training.trained.Trained`);
- ``metaloss``: how to rebuild F (``fusion``) and G (``generator``), the run's ``settings``, the fingerprint of its
  ``data``, and the ``versions`` of what wrote it.

The trainer adds MMEngine's own ``meta`` (with the config's text), ``message_hub`` and, for its tools, ``state_dict``:
the networks' tensors once more, under one name each; a file holds a tensor once.
"""

from __future__ import annotations

import copy
import platform
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from metaloss.errors import CheckpointError
from metaloss.networks.spec import describe
from metaloss.plugins import difference
from metaloss.runtime import files
from metaloss.runtime.processes import gathered, rank, world_size
from metaloss.runtime.versions import version_of
from metaloss.training.finite import check_weights
from metaloss.training.parts import PARTS
from metaloss.training.structure import check_structure, same_kind
from metaloss.training.trained import Trained

_MOMENTS = {"exp_avg", "exp_avg_sq", "max_exp_avg_sq", "momentum_buffer"}  # of torch's own optimizers


def content_of(learner: Trained, *, spec: Mapping[str, Any] | None = None, **run: Any) -> dict[str, Any]:
    """Makes the content of a checkpoint.

    Args:
        learner: whose state is taken.
        spec: how to rebuild F and G; ``None``: by their records.
        run: ``settings`` and ``data`` of the run.

    Raises:
        MetaGradientError: weights that are not finite, which no file is to hold.
    """
    check_weights({name: getattr(learner, name) for name in PARTS})
    ours = {**(spec or describe(learner)), **run, "versions": versions()}
    content = {**state_of(learner), "metaloss": ours}
    if world_size() > 1:
        content["processes"] = gathered({"random": content["random"], "buffers": _buffers(learner)})
    return content


def _buffers(learner: Trained) -> dict[str, dict[str, Tensor]]:
    """Of each network the running statistics; each process has its own until the epoch ends."""
    return {name: {key: value.cpu() for key, value in getattr(learner, name).named_buffers()} for name in PARTS}


def versions() -> dict[str, str]:
    """The versions of what a training depends on."""
    found = {"python": platform.python_version(), "torch": str(torch.__version__)}
    installed = {package: version_of(package) for package in ("metaloss", "numpy")}
    return found | {package: number for package, number in installed.items() if number is not None}


def state_of(learner: Trained) -> dict[str, Any]:
    """Everything that training needs to go on; see :meth:`metaloss.MetaLearner.state_dict`."""
    return {
        **{name: getattr(learner, name).state_dict() for name in PARTS},
        "optimizers": {
            name: None if optimizer is None else optimizer.state_dict()
            for name, optimizer in learner.optimizers.items()
        },
        "schedulers": [
            {"class": _class_of(scheduler), "state": scheduler.state_dict()} for scheduler in learner.schedulers
        ],
        "pending": learner.pending_state(),
        "random": files.random_state(),
        "progress": copy.deepcopy(learner.progress),
    }


def take_up(learner: Trained, state: Mapping[str, Any]) -> None:
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


def _take_up(learner: Trained, state: Mapping[str, Any]) -> None:
    for name in PARTS:
        getattr(learner, name).load_state_dict(state[name])
    for name, saved in state["optimizers"].items():
        if saved is not None:
            learner.optimizer(name).load_state_dict(saved)
        elif (optimizer := learner.optimizers[name]) is not None:
            optimizer.state.clear()
    for scheduler, saved in zip(learner.schedulers, state["schedulers"], strict=True):
        scheduler.load_state_dict(saved["state"])
    random = state["random"]
    processes = state.get("processes", ())
    if len(processes) == world_size() > 1:  # else all take what process 0 had
        own = processes[rank()]
        random = own["random"]
        for name in PARTS:
            for key, buffer in getattr(learner, name).named_buffers():
                buffer.copy_(own["buffers"][name][key])
    learner.load_pending_state(state["pending"])
    learner.progress = copy.deepcopy(dict(state["progress"]))
    files.restore_random_state(random)


def check_networks(learner: Trained, state: Mapping[str, Any]) -> None:
    """Checks that a checkpoint is whole, and that its networks are a learner's.

    Raises:
        CheckpointError: naming what is missing, or the first tensor that differs.
    """
    check_structure(state)
    for name in PARTS:
        network = getattr(learner, name)
        mismatch = difference(network, state[name])
        if mismatch:
            raise CheckpointError(f"the saved {name} network is not this {type(network).__name__}: {mismatch}")
        for key, own in network.state_dict().items():
            if isinstance(own, Tensor) and not same_kind(state[name][key], own):
                raise CheckpointError(
                    f"{key!r} of the saved {name} network holds {state[name][key].dtype}, and this {own.dtype}"
                )


def _check(learner: Trained, state: Mapping[str, Any]) -> None:
    check_networks(learner, state)
    for name, saved in state["optimizers"].items():
        if saved is None:
            continue
        if _group_sizes(saved) != _group_sizes(learner.optimizer(name).state_dict()):
            raise CheckpointError(
                f"the saved {name} optimizer has parameter groups of {_group_sizes(saved)} tensors and this one "
                f"of {_group_sizes(learner.optimizer(name).state_dict())}: build it as it was when it was saved"
            )
        _check_moments(name, learner.optimizer(name), saved)
    _check_schedulers(learner, state["schedulers"])
    pending = state["pending"]["gradients"]
    for name, param in learner.loss.named_parameters():
        if name in pending and pending[name].shape != param.shape:
            raise CheckpointError(f"the pending gradient of {name!r} has not its parameter's shape: it is damaged")


def _check_schedulers(learner: Trained, states: Sequence[Mapping[str, Any]]) -> None:
    if len(states) != len(learner.schedulers):
        raise CheckpointError(f"the state has {len(states)} schedulers and the learner {len(learner.schedulers)}")
    for number, (scheduler, saved) in enumerate(zip(learner.schedulers, states, strict=True)):
        if saved["class"] != _class_of(scheduler):
            raise CheckpointError(
                f"the saved scheduler {number} is a {saved['class']}, and this a {_class_of(scheduler)}"
            )
        lacking = scheduler.state_dict().keys() - saved["state"].keys()
        if lacking:
            raise CheckpointError(f"the saved scheduler {number} lacks {sorted(lacking)}: it is damaged")


def _class_of(scheduler: Any) -> str:
    return f"{type(scheduler).__module__}.{type(scheduler).__qualname__}"


def _group_sizes(state: Mapping[str, Any]) -> list[int]:
    return [len(group["params"]) for group in state["param_groups"]]


def _check_moments(name: str, optimizer: Optimizer, state: Mapping[str, Any]) -> None:
    """Checks that the moments which an optimizer keeps have their parameters' shapes; torch would fail in a step."""
    options = {"initial_lr"}  # which schedulers add
    for own, group in zip(optimizer.state_dict()["param_groups"], state["param_groups"], strict=True):
        differing = sorted((own.keys() ^ group.keys()) - options)
        if differing:
            raise CheckpointError(f"the saved {name} optimizer is of another kind: {differing} belong to one alone")
    params = [param for group in optimizer.param_groups for param in group["params"]]
    for number, kept in state["state"].items():
        for key in _MOMENTS.intersection(kept):
            value, shape = kept[key], params[number].shape
            if value is not None and getattr(value, "shape", None) != shape:
                raise CheckpointError(
                    f"the saved {name} optimizer's {key!r} of parameter {number} has not its shape {tuple(shape)}: it "
                    "is another network's, or damaged"
                )
