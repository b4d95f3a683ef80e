"""The hooks a plug-in may implement; their docstrings are the contract."""

from __future__ import annotations

import pluggy

from metaloss.plugins.records import Record

hookspec = pluggy.HookspecMarker("metaloss")
hookimpl = pluggy.HookimplMarker("metaloss")


@hookspec
def metaloss_tasks() -> list[Record]:  # type: ignore[empty-body]
    """Returns records of tasks: factory ``(**arguments) -> TaskAdapter`` or any ``(fused, target) -> loss`` module."""


@hookspec
def metaloss_fusion_networks() -> list[Record]:  # type: ignore[empty-body]
    """Returns records of fusion networks: factory ``(**arguments) -> nn.Module``, ``(*sources) -> fused``."""


@hookspec
def metaloss_loss_generators() -> list[Record]:  # type: ignore[empty-body]
    """Returns records of loss generators: factory ``(**arguments) -> nn.Module``, ``(*sources) -> weights``."""


@hookspec
def metaloss_hypergradients() -> list[Record]:  # type: ignore[empty-body]
    """Returns records of hypergradient methods: ``(problem, meta_train, meta_test) -> MetaGradient``."""
