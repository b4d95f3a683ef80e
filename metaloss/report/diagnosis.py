"""Which hypergradient methods work for given networks, what each costs, and what stands in the way."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from metaloss.batch import FusionBatch
from metaloss.errors import MetaGradientError
from metaloss.hypergradient import MetaGradient, MetaProblem
from metaloss.hypergradient.operators import MissingDerivativeError
from metaloss.learner import MetaLearner
from metaloss.plugins import find, records
from metaloss.report.allocated import AllocatedMemory
from metaloss.steps import check_learnable, check_meta_gradient

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
        verified: whether the remedy was tried and the method then worked.
    """

    method: str
    seconds: float | None = None
    megabytes: float | None = None
    error: float | None = None
    obstacle: str = ""
    operator: str = ""
    remedy: str = ""
    verified: bool = False

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
    state = torch.get_rng_state()
    try:
        with AllocatedMemory() as memory:
            gradient: MetaGradient = method(problem, *batches)
        check_meta_gradient(gradient, learner.loss, finite=True)
        torch.set_rng_state(state)
        start = time.perf_counter()
        method(problem, *batches)
        return Finding(name, time.perf_counter() - start, memory.peak / 1e6), gradient
    except MissingDerivativeError as error:
        torch.set_rng_state(state)
        verified = "SDPBackend.MATH" in error.remedy and _works_by_math(method, problem, batches)
        remedy = error.remedy.strip().removeprefix("Remedy: ")
        return Finding(name, obstacle=error.lacking, operator=error.operator, remedy=remedy, verified=verified), None
    except MetaGradientError as error:
        return Finding(name, obstacle=str(error)), None
    finally:
        torch.set_rng_state(state)


def _works_by_math(method: object, problem: MetaProblem, batches: tuple[FusionBatch, FusionBatch]) -> bool:
    """Tries the remedy for fused attention."""
    try:
        with sdpa_kernel(SDPBackend.MATH):
            method(problem, *batches)  # type: ignore[operator]
    except MetaGradientError:
        return False
    return True


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
    elif works:
        lines.append(f"No exact method works as it is; hypergradient={next(iter(works))!r} does.")
    else:
        lines.append("No method works with these networks.")
    for finding in findings:
        if finding.operator:
            tried = " (tried here: it then works)" if finding.verified else ""
            remedy = f" What to do: {finding.remedy}{tried}." if finding.remedy else ""
            lines.append(f"'{finding.method}': {finding.operator} has no {finding.obstacle}.{remedy}")
        elif finding.obstacle:
            lines.append(f"'{finding.method}': {finding.obstacle}")
    return lines
