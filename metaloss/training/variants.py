"""The ablations of TDFusion's Table 3, each one option of what trains anyway.

I. ``weights="uniform"`` of :class:`metaloss.LearnableFusionLoss`: w_a = w_b = 1/2. Nothing of the loss is
learned, so there are no meta steps.

II. ``alpha=0`` of the same: L_f without its gradient term.

The paper says little of the others. As they are read here:

III. ``fusion_sees_task_loss=True``: in the fusion phase F follows the task loss as well,

    theta_F <- theta_F - eta d(L_f + L_t(T, F))/dtheta_F,    theta_T by Eq. 9 as before.

Meta steps are unchanged.

IV. ``separate_fusion_learning=False``: there is no fusion phase. At each meta step theta_F and theta_T also
take, through their optimizers, the gradients of their inner updates (Eq. 4 and 5),

    theta_F <- theta_F - eta dL_f(mtr; theta_G)/dtheta_F,    theta_T <- theta_T - eta dL_t(T, F(mtr))/dtheta_T,

all taken before anything is stepped. Of several inner updates it is the first: the others start elsewhere.
Warm-up epochs, which come before the meta steps, are fusion steps still.

V. ``fusion="weighted_sum"``: I_f = sum_k w_k I_k with the weights that G proposes, so there is no F and no
L_f. The schedule stays: a meta step gives G the gradient of the task loss itself,

    theta_G <- theta_G - eta_G dL_t(T', I_f(mts; theta_G))/dtheta_G,

with T' as in Eq. 5, and a fusion step trains T alone (Eq. 9).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from metaloss.batch import FusionBatch
from metaloss.errors import ConfigError
from metaloss.hypergradient.calls import fuse
from metaloss.hypergradient.functional import gradients, trainable
from metaloss.networks.weighted_sum import WeightedSum, weighted_sum
from metaloss.tasks.base import targets_of, task_loss
from metaloss.training.steps import FusionStep, weight_statistics

WEIGHTED_SUM = "weighted_sum"


class TaskAwareStep(FusionStep):
    """III: a fusion step in which F learns from L_f + L_t; G and, for F, T are held fixed."""

    def take(self, batch: FusionBatch) -> dict[str, dict[str, Tensor]]:
        """Takes the gradients of F (L_f + L_t) and T (L_t); the images have then been fused and judged once."""
        with torch.enable_grad():
            fused, terms = self.fusion_terms(batch)
            shown = fused if batch.fusion_view is None else fuse(self.fusion, batch.sources, self.execution)
            total = task_loss(self.task, shown, targets_of(self.task, batch), self.execution.run)
            # L_f does not depend on T: one backward pass gives T its gradient of L_t alone
            params: dict[str, Tensor] = {
                f"{part} {name}": param
                for part, module in (("fusion", self.fusion), ("task", self.task))
                for name, param in module.named_parameters()
                if param.requires_grad
            }
            found = gradients(terms.total + total, params, scale=self.execution.scale)
        self._take(found, {**self.terms_log(terms, batch), "task_loss": total})
        taken: dict[str, dict[str, Tensor]] = {"fusion": {}, "task": {}}
        for key, value in self.gradients.items():
            part, _, name = key.partition(" ")
            taken[part][name] = value
        return taken


class WeightedSumStep(FusionStep):
    """V: a fusion step that trains T on the weighted sum; there is no F to train."""

    def take(self, batch: FusionBatch) -> dict[str, dict[str, Tensor]]:
        """Takes the gradient of T."""
        with torch.no_grad():
            weights: Tensor = self.loss.propose(batch.sources)["intensity"]  # type: ignore[operator]
            fused = weighted_sum(weights, batch.sources)
        self._take({}, weight_statistics(weights, batch.order))
        self.task_gradients(batch, fused)
        return {"task": self.gradients}


@dataclass(frozen=True)
class Variant:
    """What the ablations change in a learner, chosen once.

    Attributes:
        fusion: F, or V's weighted sum.
        step: how the gradients of a fusion step are taken.
        sums: whether F is the weighted sum of the loss's own generator, so that there is no F and no L_f (V).
        fusion_phase: whether there is one (not in IV).
    """

    fusion: nn.Module
    step: type[FusionStep]
    sums: bool
    fusion_phase: bool

    @staticmethod
    def of(fusion: nn.Module | str, loss: nn.Module, *, sees_task_loss: Any, separate: Any) -> Variant:
        """Makes the variant of a learner's options.

        Args:
            fusion: F, or ``"weighted_sum"``.
            loss: L_f.
            sees_task_loss: ``fusion_sees_task_loss``.
            separate: ``separate_fusion_learning``.

        Raises:
            ConfigError: a wrong option, or ablations that leave each other nothing to act on.
        """
        network = fusion_of(fusion, loss)
        sums = isinstance(network, WeightedSum) and network.generator is getattr(loss, "generator", None)
        check_combination(loss, summed=sums, sees_task_loss=sees_task_loss, separate=separate)
        step = WeightedSumStep if sums else TaskAwareStep if sees_task_loss else FusionStep
        return Variant(network, step, sums, separate)

    def settings(self) -> dict[str, Any]:
        """The variant as plain values."""
        return {"fusion_step": self.step.__name__, "separate_fusion_learning": self.fusion_phase}


def fusion_of(fusion: nn.Module | str, loss: nn.Module) -> nn.Module:
    """The fusion network, or V's weighted sum with the loss's own generator.

    Raises:
        ConfigError: another word, or a loss that has no generator to take weights from.
    """
    if isinstance(fusion, nn.Module):
        return fusion
    if fusion != WEIGHTED_SUM:
        raise ConfigError(f"fusion={fusion!r}: expected a network, or {WEIGHTED_SUM!r}")
    generator = getattr(loss, "generator", None)
    if not isinstance(generator, nn.Module) or not hasattr(loss, "propose"):
        raise ConfigError(
            f"fusion={WEIGHTED_SUM!r} sums the sources with the weights that a loss generator proposes: give a "
            'LearnableFusionLoss with weights="learned"'
        )
    return WeightedSum(generator)


def check_combination(loss: nn.Module, *, summed: bool, sees_task_loss: Any, separate: Any) -> None:
    """Refuses ablations that leave each other nothing to act on.

    Args:
        loss: L_f.
        summed: whether V is asked for.
        sees_task_loss: ``fusion_sees_task_loss``.
        separate: ``separate_fusion_learning``.

    Raises:
        ConfigError: when they do.
    """
    for name, value in (("fusion_sees_task_loss", sees_task_loss), ("separate_fusion_learning", separate)):
        if not isinstance(value, bool):
            raise ConfigError(f"{name}={value!r}: expected True or False")
    if summed and (sees_task_loss or not separate):
        option = "fusion_sees_task_loss=True" if sees_task_loss else "separate_fusion_learning=False"
        raise ConfigError(f"{option} together with fusion={WEIGHTED_SUM!r}: a sum has no fusion network to train")
    if sees_task_loss and not separate:
        raise ConfigError(
            "fusion_sees_task_loss=True together with separate_fusion_learning=False: the one acts in the fusion "
            "phase, and the other leaves that out"
        )
    if not separate and not trainable(loss):
        raise ConfigError(
            "separate_fusion_learning=False together with a loss that does not learn (uniform weights): without meta "
            "steps and without a fusion phase nothing is trained"
        )
