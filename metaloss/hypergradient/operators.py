"""Operators that lack a derivative: found in torch's messages and graphs, named in ours."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from metaloss.errors import MetaGradientError
from metaloss.hypergradient.functional import graph_nodes

# the last one: of a rule that cannot take the layout that the operator itself takes (group norm, channels last)
_NO_FORWARD_MODE = re.compile(
    r"forward AD|forward mode AD|forward-mode|forward gradient|jvp|ForwardAD|view size is not compatible"
)
_NO_SECOND_DERIVATIVE = re.compile(r"derivative for .+ is not implemented|double backward|differentiate twice")


class MissingDerivativeError(MetaGradientError):
    """An operator of the fusion network, or of its loss, lacks the derivative that a method needs.

    Attributes:
        operator: its name, as torch gives it.
        lacking: what it has not, in words.
        remedy: the way round, where one is known, or an empty string.
    """

    def __init__(self, operator: str, lacking: str, advice: str) -> None:
        self.operator, self.lacking, self.remedy = operator, lacking, _remedy(operator)
        super().__init__(f"{operator} has no {lacking}: {advice}{self.remedy}")


class WrongDerivativeError(MetaGradientError):
    """A method's derivative of the fusion network is not that of the gradient that trains it.

    Attributes:
        finding: what was found wrong, in words.
        gap: how far the two are apart, relative, from 0 to 1.
        cause: why, as far as it was found, in words.
    """

    def __init__(self, method: str, network: str, gap: float, cause: str) -> None:
        derivative, alternative = _METHODS[method]
        self.finding = f"{derivative.format(network=network)} differs from its training gradient by {gap:.1e} of it"
        self.gap, self.cause = gap, cause
        super().__init__(f"hypergradient={method!r} is refused: {self.finding} ({cause}); take {alternative}")


_METHODS = {
    "forward": ("the forward derivative of {network}", "hypergradient='reverse', or 'auto', which finds a method"),
    "reverse": (
        "what autograd differentiates in the backward pass of {network}",
        "hypergradient='finite_difference', or give that part a backward pass of torch's own operators",
    ),
    "finite_difference": ("the difference of two images of {network}", "hypergradient='reverse', or 'auto'"),
}


@contextmanager
def forward_mode() -> Iterator[None]:
    """Names the operator of F, or of its loss, that refuses forward-mode differentiation.

    Raises:
        MissingDerivativeError: in the place of torch's own error.
    """
    try:
        yield
    except RuntimeError as error:
        if not _NO_FORWARD_MODE.search(str(error)):
            raise
        raise MissingDerivativeError(
            _operator(error),
            "forward-mode rule",
            "take hypergradient='reverse', which is exact too and needs more memory, or 'auto'.",
        ) from error


@contextmanager
def second_derivative() -> Iterator[None]:
    """Names the operator of F, or of its loss, that refuses double backward.

    Raises:
        MissingDerivativeError: in the place of torch's own error.
    """
    try:
        yield
    except RuntimeError as error:
        if not _NO_SECOND_DERIVATIVE.search(str(error)):
            raise
        raise _no_second_derivative(_operator(error)) from error


def check_twice_differentiable(gradients: Iterable[Tensor]) -> None:
    """Refuses gradients whose graph is cut by a function marked ``once_differentiable``.

    ``torch.autograd.grad`` goes round such a function in silence when only inputs behind it are asked
    for, and the meta-gradient would lack a part.

    Args:
        gradients: computed with ``create_graph=True``.

    Raises:
        MissingDerivativeError: there is such a function.
    """
    for node in graph_nodes(gradients):
        if node.name() == "torch::autograd::Error":
            raise _no_second_derivative("a custom autograd.Function (its backward is marked once_differentiable)")


def _no_second_derivative(operator: str) -> MissingDerivativeError:
    advice = "take hypergradient='forward' if it has a forward-mode rule, or 'finite_difference', which is approximate."
    return MissingDerivativeError(operator, "second derivative", advice)


def _operator(error: RuntimeError) -> str:
    for pattern in (r"forward AD with (\S+)", r"derivative for '?([\w:.]+)'?", r"'([\w:]+)'"):
        found = re.search(pattern, str(error))
        if found:
            return found[1].rstrip(".,:;")
    for frame, _ in traceback.walk_tb(error.__traceback__):
        called, owner = frame.f_code.co_name, frame.f_locals.get("cls")
        if called == "apply_jvp":
            owner = getattr(frame.f_locals.get("self"), "_forward_cls", None)
        if called in ("apply", "apply_jvp") and isinstance(owner, type) and issubclass(owner, torch.autograd.Function):
            return owner.__name__
    return "a compiled module" if "torch.compile" in str(error) else "an operator"


def _remedy(operator: str) -> str:
    if "weight_norm" in operator:
        return " Remedy: a parametrization of your own that computes g * v / v.norm(...) from plain operators"
    if "compiled module" in operator:
        return " Remedy: compile the network after the meta-learning"
    return ""
