"""What a learner looks at before it trains, and what it refuses in a meta-gradient."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from metaloss.batch import FusionBatch, check_values
from metaloss.errors import ConfigError, MetaGradientError
from metaloss.hypergradient.calls import fuse
from metaloss.hypergradient.execution import Execution
from metaloss.hypergradient.fast_weights import FastWeights
from metaloss.hypergradient.problem import MetaGradient
from metaloss.hypergradient.random_state import RandomState
from metaloss.hypergradient.untrained import check_trained
from metaloss.networks.calling import name_of
from metaloss.runtime.processes import largest_of_all
from metaloss.tasks.base import is_labelled

Outcome = Literal["useful", "zero", "not finite"]


def check_separate(modules: Mapping[str, nn.Module]) -> None:
    """Checks that no trainable parameter belongs to two networks, whose optimizers would both step it.

    Args:
        modules: by what they are to the learner.

    Raises:
        ConfigError: naming both networks and a parameter.
    """
    names = {
        part: {param: name for name, param in module.named_parameters() if param.requires_grad}
        for part, module in modules.items()
    }
    for one, other in combinations(names, 2):
        shared = [param for param in names[one] if param in names[other]]
        if shared:
            raise ConfigError(
                f"{one} and {other} share {len(shared)} trainable parameters, {names[one][shared[0]]!r} of the one and "
                f"{names[other][shared[0]]!r} of the other among them: both optimizers would step them; give one of "
                "the networks a copy (copy.deepcopy), freeze them with requires_grad_(False), or pass "
                "allow_shared_parameters=True if that is meant"
            )


def check_ready(fusion: nn.Module, loss: nn.Module, task: nn.Module, batch: FusionBatch, execution: Execution) -> None:
    """Checks, once, that the images are in [0, 1], that the networks are built and that all of F is trained.

    Raises:
        ConfigError: a lazy layer that has not run yet, or a tensor of F that needs a gradient and is no parameter.
        DataError: values far outside of [0, 1].
    """
    for module in (fusion, loss, task):
        check_built(module)
    check_values(batch.sources)
    check_trained(fusion, batch.loss_view, execution)


def check_built(module: nn.Module) -> None:
    """Checks that no lazy layer waits for its first batch.

    Raises:
        ConfigError: naming a parameter that has no shape yet.
    """
    for name, tensor in (*module.named_parameters(), *module.named_buffers()):
        if is_lazy(tensor):
            raise ConfigError(
                f"{name!r} of {type(module).__name__} has no shape yet (a lazy layer): run one batch through the "
                "network before training it"
            )


def check_recording() -> None:
    """Checks that gradients can be recorded at all.

    Raises:
        MetaGradientError: inside ``torch.inference_mode()``.
    """
    if torch.is_inference_mode_enabled():
        raise MetaGradientError(
            "called inside torch.inference_mode(), where nothing can be differentiated: leave it for training steps"
        )


def check_learnable(fusion: nn.Module | None, loss: nn.Module) -> None:
    """Checks that there is something to learn, and a way from the loss to the fused image.

    Args:
        fusion: F, where the loss acts on the image through its parameters.
        loss: L_f with G.

    Raises:
        MetaGradientError: the loss module, or the fusion network, has no trainable parameter.
    """
    if not _trainable(loss):
        raise MetaGradientError(
            f"{type(loss).__name__} has no trainable parameter: with uniform weights there are no meta steps"
        )
    if fusion is not None and not _trainable(fusion):
        raise MetaGradientError(
            f"{name_of(fusion)} has no trainable parameter: the fusion loss acts on the fused image through them"
        )


def check_meta_gradient(gradient: MetaGradient, loss: nn.Module, *, finite: bool) -> Outcome:
    """Judges a meta-gradient, with one synchronisation of the device.

    Args:
        gradient: what a hypergradient method gave.
        loss: the loss module.
        finite: whether values that are not finite are refused.

    Returns:
        ``"useful"``, ``"zero"``, or ``"not finite"``.

    Raises:
        MetaGradientError: naming parameters that it does not reach, or whose values are not finite.
    """
    missing = [name for name in _trainable(loss) if name not in gradient.gradients]
    if missing:
        raise MetaGradientError(
            f"no meta-gradient reaches {_some(missing)} of {type(loss).__name__}: the loss ignores "
            f"{'them' if len(missing) > 1 else 'it'}, or the path from the weights to the fused image is cut "
            "(detach, no_grad, argmax); freeze what is not meant to learn with requires_grad_(False)"
        )
    device = gradient.outer_loss.device
    sizes = torch.stack([value.abs().amax().to(device) for value in gradient.gradients.values()])
    if sizes.isfinite().all():
        return "useful" if sizes.any() else "zero"
    if finite:
        bad = [name for name, value in gradient.gradients.items() if not value.isfinite().all()]
        raise MetaGradientError(
            f"the meta-gradient of {_some(bad)} is not finite (outer loss {gradient.outer_loss.item():.4g}): "
            "lower inner_lr, bound the inner gradients with inner_clip, look at the task's loss on empty targets, or "
            "pass on_nonfinite='skip'"
        )
    return "not finite"


def check_zero(
    gradient: MetaGradient, fusion: nn.Module, task: nn.Module, meta_test: FusionBatch, execution: Execution
) -> None:
    """Refuses a meta-gradient of nothing but zeros, unless the meta-test batch has no labels.

    Raises:
        MetaGradientError: with the reason, as far as it can be seen.
    """
    unlabelled = torch.tensor(float(not is_labelled(task, meta_test)), device=gradient.outer_loss.device)
    if largest_of_all(unlabelled):
        return
    reason = constant_image(fusion, meta_test.sources, execution) or (
        "the outer loss does not depend on the learned loss (inner_lr=0, a rule that ignores gradients, or a task that "
        "ignores the fused image)"
    )
    raise MetaGradientError(f"the meta-gradient of all of {_some(list(gradient.gradients))} is zero: {reason}")


def constant_image(fusion: nn.Module, sources: tuple[Tensor, ...], execution: Execution) -> str:
    """Says that the fused image is the same everywhere, if it is; else an empty string."""
    network = FastWeights.of(fusion)
    replayed = RandomState.now(network.generators).replayed()
    with torch.no_grad(), replayed, network.swapped(network.params) as module:
        fused = fuse(module, sources, execution)
    if fused.amin() < fused.amax():
        return ""
    return (
        f"the fused image is {fused.flatten()[0].item():.3g} everywhere: its last ReLU may be dead at these "
        "weights; load trained weights, or start from another seed"
    )


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _trainable(module: nn.Module) -> dict[str, Tensor]:
    return {name: param for name, param in module.named_parameters() if param.requires_grad}
