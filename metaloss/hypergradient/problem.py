"""What every hypergradient method is given, and what it returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor, nn

from metaloss.batch import FusionBatch
from metaloss.hypergradient.execution import Execution
from metaloss.inner import InnerRule


@dataclass(frozen=True, kw_only=True)
class MetaProblem:
    """The bilevel problem of one meta step (TDFusion Eq. 4-7).

    Attributes:
        fusion: F, ``(*sources) -> fused``.
        loss: L_f with its loss generator G, ``(fused, sources) -> FusionLossTerms``.
        task: T, ``(fused, target) -> loss``.
        fusion_rule: the inner update of F (Eq. 4).
        task_rule: the inner update of T (Eq. 5).
        steps: K, the number of inner updates.
        fusion_state: what F's rule starts from, ``None`` for a fresh start.
        task_state: what T's rule starts from, likewise.
        execution: how the networks are run.
        number: how many meta steps came before, by which methods decide whether to check themselves; ``None``
            for a single call.
    """

    fusion: nn.Module
    loss: nn.Module
    task: nn.Module
    fusion_rule: InnerRule
    task_rule: InnerRule
    steps: int = 1
    fusion_state: Any = None
    task_state: Any = None
    execution: Execution = field(default_factory=Execution)
    number: int | None = None


@dataclass(frozen=True)
class MetaGradient:
    """The gradient of the outer loss with respect to the loss module (Eq. 7).

    Attributes:
        gradients: by name, as ``loss.named_parameters()``, trainable parameters only.
        inner_loss: L_f on the meta-train batch before the first inner update, 0-d, detached.
        task_inner_loss: L_t on the meta-train batch before the first inner update, 0-d, detached.
        outer_loss: L_t(T', F') on the meta-test batch, 0-d, detached.
    """

    gradients: dict[str, Tensor]
    inner_loss: Tensor
    task_inner_loss: Tensor
    outer_loss: Tensor


class HypergradientMethod(Protocol):
    """Computes the meta-gradient and leaves everything as it was.

    A gradient that the loss module's parameter does not get at all is left out of the result; the
    learner says so. The random numbers drawn are those of the forward passes, in this order: at
    each inner step F (with L_f), then T; then F' and T' on the meta-test batch.
    """

    def __call__(self, problem: MetaProblem, meta_train: FusionBatch, meta_test: FusionBatch) -> MetaGradient:
        """Runs one meta step's inner and outer pass."""
