"""Which hypergradient methods work for given networks, what each costs, and what stands in the way."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from metaloss.batch import FusionBatch
from metaloss.errors import MetaGradientError
from metaloss.hypergradient import MetaGradient, MetaProblem
from metaloss.hypergradient.operators import MissingDerivativeError, WrongDerivativeError
from metaloss.hypergradient.random_state import RandomState, own_generators
from metaloss.plugins import find, records
from metaloss.report.allocated import AllocatedMemory
from metaloss.training.checks import check_learnable, check_meta_gradient, check_zero
from metaloss.training.learner import MetaLearner

EXACT = ("forward", "reverse")


@dataclass(frozen=True)
class Finding:
    """What one method did in one meta step.

    Attributes:
        method: its name.
        seconds: of the second run, or ``None`` where it failed.
        megabytes: the most that tensors held at once, above what was held before.
        error: relative difference from an exact method's gradient; ``None`` without one, or for that method.
        obstacle: why it does not work, empty where it does.
        operator: the operator without a derivative, where that is why.
        remedy: the way round, where one is known.
    """

    method: str
    seconds: float | None = None
    megabytes: float | None = None
    error: float | None = None
    obstacle: str = ""
    operator: str = ""
    remedy: str = ""

    @property
    def works(self) -> bool:
        """Whether the method gave a meta-gradient."""
        return not self.obstacle


def diagnose(learner: MetaLearner, meta_train: FusionBatch, meta_test: FusionBatch) -> list[Finding]:
    """Runs one meta step by every registered method; nothing changes.

    Args:
        learner: the networks and settings in question.
        meta_train: the batch of the inner updates.
        meta_test: the batch of the outer loss.

    Returns:
        One finding per method, exact ones first.

    Raises:
        MetaGradientError: F or L_f has nothing to learn.
    """
    check_learnable(learner.fusion, learner.loss)
    problem, batches = learner.problem, (meta_train, meta_test)
    names = sorted(records("hypergradients"), key=lambda name: (name not in EXACT, name))
    results = {name: _try(learner, problem, name, batches) for name in names}
    reference = next((gradient for name, (_, gradient) in results.items() if name in EXACT and gradient), None)
    findings = []
    for finding, gradient in results.values():
        if gradient is not None and reference is not None and gradient is not reference:
            finding = replace(finding, error=_difference(gradient, reference))
        findings.append(finding)
    return findings


def _try(
    learner: MetaLearner, problem: MetaProblem, name: str, batches: tuple[FusionBatch, FusionBatch]
) -> tuple[Finding, MetaGradient | None]:
    method = find("hypergradients", name).load()
    state = RandomState.now(own_generators(problem.fusion, problem.task))
    try:
        with AllocatedMemory() as memory:
            gradient: MetaGradient = method(problem, *batches)
        if check_meta_gradient(gradient, learner.loss, finite=True) == "zero":
            check_zero(gradient, learner.fusion, learner.task, batches[1], problem.execution)
        state.restore()
        start = time.perf_counter()
        method(problem, *batches)
        seconds = time.perf_counter() - start
        state.restore()
        method(replace(problem, number=0), *batches)  # checks itself as at the first step of a training
        return Finding(name, seconds, memory.peak / 1e6), gradient
    except MissingDerivativeError as error:
        remedy = error.remedy.strip().removeprefix("Remedy: ")
        return Finding(name, obstacle=error.lacking, operator=error.operator, remedy=remedy), None
    except WrongDerivativeError as error:
        return Finding(name, obstacle=f"{error.finding} ({error.cause})"), None
    except MetaGradientError as error:
        return Finding(name, obstacle=str(error)), None
    finally:
        state.restore()


def _difference(gradient: MetaGradient, reference: MetaGradient) -> float:
    names = reference.gradients.keys()
    mine, exact = (_flat([result.gradients[name] for name in names]) for result in (gradient, reference))
    return float((mine - exact).norm() / exact.norm())


def _flat(tensors: Sequence[Tensor]) -> Tensor:
    return torch.cat([tensor.flatten().double().cpu() for tensor in tensors])


def advice(findings: Sequence[Finding]) -> list[str]:
    """Says in a few lines what to do, best first."""
    works = {finding.method: finding for finding in findings if finding.works}
    lines = []
    if "forward" in works:
        lines.append("hypergradient='auto' (the default) will take 'forward': exact, with the least memory.")
    elif "reverse" in works:
        lines.append("hypergradient='auto' (the default) will fall back to 'reverse': exact, with more memory.")
    elif "finite_difference" in works:
        lines.append("hypergradient='auto' (the default) will fall back to 'finite_difference': no exact method works.")
    elif works:
        lines.append(f"No exact method works as it is; hypergradient={next(iter(works))!r} does.")
    else:
        lines.append("No method works with these networks.")
    for finding in findings:
        if finding.operator:
            remedy = f" What to do: {finding.remedy}." if finding.remedy else ""
            lines.append(f"'{finding.method}': {finding.operator} has no {finding.obstacle}.{remedy}")
        elif finding.obstacle:
            lines.append(f"'{finding.method}': {finding.obstacle}")
    return lines
