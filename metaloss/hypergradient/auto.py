"""Forward mode where it is right for the fusion network, else double backward, else differences."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from metaloss.batch import FusionBatch
from metaloss.errors import CheckpointError, MetaGradientError
from metaloss.hypergradient.finite_difference import finite_difference
from metaloss.hypergradient.forward import forward
from metaloss.hypergradient.operators import MissingDerivativeError, WrongDerivativeError
from metaloss.hypergradient.problem import HypergradientMethod, MetaGradient, MetaProblem
from metaloss.hypergradient.random_state import RandomState, own_generators
from metaloss.hypergradient.reverse import reverse
from metaloss.runtime.processes import rank

_METHODS: dict[str, HypergradientMethod] = {
    "forward": forward,
    "reverse": reverse,
    "finite_difference": finite_difference,
}
_COST = {"reverse": "exact but with more memory", "finite_difference": "approximate, to about 1e-3 in float32"}


class Auto:
    """``forward``; after a refusal ``reverse``, after another ``finite_difference``, with one warning that says why.

    Attributes:
        method: the name of the method in use.
    """

    def __init__(self) -> None:
        self.method = "forward"
        self._began = 0  # the meta step at which the method in use was taken

    def state(self) -> dict[str, Any]:
        """Which method is in use, and since when."""
        return {"method": self.method, "began": self._began}

    def load(self, state: Mapping[str, Any]) -> None:
        """Takes up what :meth:`state` gave.

        Raises:
            CheckpointError: another word than a method's.
        """
        if state["method"] not in _METHODS:
            raise CheckpointError(f"the hypergradient method in use was {state['method']!r}: no such method")
        self.method, self._began = state["method"], int(state["began"])

    def __call__(self, problem: MetaProblem, meta_train: FusionBatch, meta_test: FusionBatch) -> MetaGradient:
        """Computes the meta-gradient (Eq. 7), exactly wherever an exact method is right.

        Raises:
            MetaGradientError: no method is right for these networks; the message says why each is not.
        """
        start = RandomState.now(own_generators(problem.fusion, problem.loss, problem.task))
        names = list(_METHODS)
        refusals: list[MissingDerivativeError | WrongDerivativeError] = []
        for name in names[names.index(self.method) :]:
            # a method that takes over is checked as at the first step
            began = problem.number if refusals else self._began
            number = None if problem.number is None or began is None else problem.number - began
            try:
                gradient = _METHODS[name](replace(problem, number=number), meta_train, meta_test)
            except (MissingDerivativeError, WrongDerivativeError) as refusal:
                refusals.append(refusal)
                start.restore()
                continue
            if refusals:
                self.method, self._began = name, problem.number or 0
                _warn(problem, name, refusals)
            return gradient
        raise MetaGradientError(
            f"no hypergradient method is right for {type(problem.fusion).__name__}: {' | '.join(map(str, refusals))}"
        ) from refusals[0]


def _warn(problem: MetaProblem, name: str, refusals: list[MissingDerivativeError | WrongDerivativeError]) -> None:
    if rank() != 0:
        return
    network = type(problem.fusion).__name__
    reasons = []
    for refusal in refusals:
        if isinstance(refusal, MissingDerivativeError):
            reasons.append(
                f"{network} or its loss uses {refusal.operator}, which has no {refusal.lacking}{_and(refusal.remedy)}"
            )
        else:
            reasons.append(f"{refusal.finding} ({refusal.cause})")
    warnings.warn(f"{'; '.join(reasons)}: falling back to hypergradient={name!r}, {_COST[name]}.", stacklevel=4)


def _and(remedy: str) -> str:
    return f".{remedy}" if remedy else ""
