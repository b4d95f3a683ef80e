"""Why the forward derivative of a network is not that of its training gradient."""

from __future__ import annotations

from typing import Any

import torch
import torch.autograd.forward_ad as fwd
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from metaloss.errors import MetaLossError
from metaloss.hypergradient.calls import fuse
from metaloss.hypergradient.execution import Execution
from metaloss.hypergradient.fast_weights import FastWeights
from metaloss.hypergradient.functional import graph_nodes, is_differentiable, leaves
from metaloss.hypergradient.inner_step import InnerStep
from metaloss.hypergradient.jvp import dual_image
from metaloss.hypergradient.training_gradients import TrainingGradients

# their derivative is zero by definition
_CONSTANT = {"detach", "round", "round_", "floor", "floor_", "ceil", "ceil_", "trunc", "trunc_", "sign", "sign_", "sgn"}
_CONSTANT |= {"zeros_like", "ones_like", "empty_like", "full_like", "rand_like", "randn_like", "new_zeros", "new_ones"}
_CONSTANT |= {"new_empty", "new_full", "new_tensor", "detach_", "bernoulli", "heaviside", "__get__", "unpack_dual"}
_CONSTANT |= {"_unpack_dual", "floor_divide", "one_hot", "bernoulli_", "zero_", "fill_", "isnan", "data"}


def explain(
    fusion: FastWeights, step: InnerStep, view: tuple[Tensor, ...], execution: Execution, *, differences: bool
) -> str:
    """Looks for what forward mode, or a difference of two images, does not see, in a run of its own.

    Args:
        fusion: F.
        step: an inner step.
        view: the sources.
        execution: how F is run.
        differences: whether it is about the difference of two images.

    Returns:
        A clause that names it, such as ``"torchvision.deform_conv2d drops tangents"``; what is known if nothing was
        found.
    """
    watch = _watched(fusion, step, view, execution)
    found = _module_hooks(fusion.module)
    found += ["a hook on a tensor (register_hook) changes gradients"] * watch.hooked
    if differences:
        found += ["it stops gradients (detach, no_grad), and differences do not stop there"] * watch.stopping
    else:
        found += [f"{name} drops tangents" for name in watch.dropping[:1]]
    if _differs_when_repeated(fusion, step, view, execution):
        found.append(
            "it draws random numbers from a generator that cannot be set back (draw from torch's, NumPy's or "
            "Python's global ones, or keep the generator as an attribute of the module)"
        )
    return "; ".join(found) or "no hook, no dropped tangent and no random numbers of its own were found in it"


def custom_functions(fusion: FastWeights, step: InnerStep, view: tuple[Tensor, ...], execution: Execution) -> list[str]:
    """The names of the custom ``autograd.Function``s behind the fused image, each once."""
    params = leaves(step.params)
    with torch.enable_grad(), fusion.replayed(params, step.buffers, step.random) as network:
        nodes = list(graph_nodes([fuse(network, view, execution)]))
    custom = [node for node in nodes if isinstance(node, torch.autograd.function.BackwardCFunction)]
    functions = [getattr(node, "_forward_cls", type(node)) for node in custom]
    return list(dict.fromkeys(each.__name__ for each in functions if not each.__module__.startswith("torch.")))


def _module_hooks(module: nn.Module) -> list[str]:
    hooked = [name or type(module).__name__ for name, part in module.named_modules() if _has_backward_hook(part)]
    hooked += [name for name, param in module.named_parameters() if param._backward_hooks]
    return [f"a backward hook on {name} changes gradients" for name in hooked[:1]]


def _has_backward_hook(part: nn.Module) -> bool:
    return bool(part._backward_hooks or part._backward_pre_hooks)


def _watched(fusion: FastWeights, step: InnerStep, view: tuple[Tensor, ...], execution: Execution) -> _Watch:
    watch = _Watch()
    direction = {name: torch.ones_like(value) for name, value in step.params.items()}
    # some operators drop tangents only where nothing is recorded, and some hooks are set only where something is
    for params in (step.params, leaves(step.params)):
        try:
            with dual_image(fusion, step, params, direction, view, execution, watch):
                pass
        except (MetaLossError, RuntimeError):
            pass  # an operator without a rule: what was seen before it still counts
    return watch


class _Watch(TrainingGradients):
    """Notes operators that are given tangents and give none, hooks, and where gradients are stopped on purpose."""

    def __init__(self) -> None:
        super().__init__()
        self.dropping: list[str] = []
        self.hooked = self.stopping = False

    def __torch_function__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        """Runs one of torch's functions and looks at its tangents."""
        self.hooked |= func is Tensor.register_hook
        result = super().__torch_function__(func, types, args, kwargs)
        name = str(getattr(func, "__name__", func))
        if not _carries((args, kwargs)) or _carries(result):
            return result
        self.stopping |= name.startswith("detach") or not torch.is_grad_enabled()
        if torch.is_grad_enabled() and name not in _CONSTANT:
            outputs = [item for item in pytree.tree_leaves(result) if is_differentiable(item)]
            if outputs and name not in self.dropping:
                self.dropping.append(str(func) if "." in str(func) and "<" not in str(func) else name)
        return result


def _carries(values: Any) -> bool:
    return any(
        fwd.unpack_dual(item).tangent is not None for item in pytree.tree_leaves(values) if is_differentiable(item)
    )


def _differs_when_repeated(
    fusion: FastWeights, step: InnerStep, view: tuple[Tensor, ...], execution: Execution
) -> bool:
    images = []
    for _ in range(3):
        params = leaves(step.params)
        with torch.enable_grad(), fusion.replayed(params, step.buffers, step.random) as network:
            images.append(fuse(network, view, execution).detach())
    return any(not torch.equal(image, images[0]) for image in images)
