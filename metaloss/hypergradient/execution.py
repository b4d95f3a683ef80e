"""How networks are run: in which precision, keeping which activations, compiled or not."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import torch
import torch.autograd.forward_ad as fwd
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils import _pytree as pytree

from metaloss.hypergradient.blocks import blockwise

Memory: TypeAlias = Literal["low", "normal"]
PRECISIONS = {"bf16": torch.bfloat16, "fp16": torch.float16}
_HALF_SCALE = 2.0**13


@dataclass(frozen=True, kw_only=True)
class Execution:
    """The settings that trade time, memory and digits; in full precision all give the same numbers.

    Attributes:
        precision: the dtype of F's and T's operators under autocast, or ``None`` for their own. L_f, G,
            inner rules and the sums that make the meta-gradient stay in the parameters' precision.
        memory: ``"low"`` keeps the activations of one block at a time and computes the others again.
        compiled: modules with their compiled form, used where first derivatives are enough.
    """

    precision: torch.dtype | None = None
    memory: Memory = "normal"
    compiled: Mapping[nn.Module, Callable[..., Any]] = field(default_factory=dict)

    @property
    def scale(self) -> float:
        """What gradients are multiplied by on their way, so that half precision does not lose the small ones."""
        return _HALF_SCALE if self.precision == torch.float16 else 1.0

    def run(self, module: nn.Module, *inputs: Any, derivatives: int = 1, autocast: bool = True) -> Any:
        """Runs a module on copies of its inputs: what it changes in place is its own.

        Args:
            module: any module.
            inputs: its arguments.
            derivatives: how often the result will be differentiated; a compiled form allows one.
            autocast: whether the precision holds for this module.

        Returns:
            What the module returned.
        """
        call = module if derivatives > 1 else self.compiled.get(module, module)
        with ExitStack() as stack:
            if derivatives > 1:
                stack.enter_context(_eager())
                stack.enter_context(_differentiable_attention())
            if self.memory == "low":
                stack.enter_context(blockwise(module))
            if autocast and self.precision is not None:
                stack.enter_context(_autocast(inputs, self.precision))
            if call is not module:
                stack.enter_context(_quiet())
            return call(*pytree.tree_map_only(torch.Tensor, torch.clone, inputs))


@contextmanager
def _differentiable_attention() -> Iterator[None]:
    """Runs attention by plain operators: fused kernels have neither a forward-mode rule nor a second derivative."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


def _autocast(inputs: tuple[Any, ...], precision: torch.dtype) -> torch.autocast:
    device = next(item.device.type for item in pytree.tree_leaves(inputs) if isinstance(item, torch.Tensor))
    # a weight that is cast once and kept would lose its tangent
    return torch.autocast(device, dtype=precision, cache_enabled=fwd._current_level < 0)


@contextmanager
def _quiet() -> Iterator[None]:
    """The compiler looks at ``.grad`` of whatever it is given, and torch warns of that."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The .grad attribute of a Tensor that is not a leaf", UserWarning)
        yield


@contextmanager
def _eager() -> Iterator[None]:
    """Runs compiled modules as they were written: compiled code has one derivative only."""
    if not hasattr(torch.compiler, "set_stance") or "torch._dynamo" not in sys.modules:
        yield  # before torch 2.6 what a user has compiled fails, in torch's words; without the compiler nothing is
        return
    with torch.compiler.set_stance("force_eager"):
        yield


def compiled(*modules: nn.Module) -> dict[nn.Module, Callable[..., Any]]:
    """Compiles modules, for the passes that are differentiated once.

    Each is compiled once per image size, since torch's dynamic shapes fail on some networks, and draws random numbers
    as it does uncompiled: the passes that are differentiated again run as written, and have to draw the same.
    """
    options: dict[str, Any] = {"fallback_random": True}
    return {module: torch.compile(module, dynamic=False, options=options) for module in modules}
