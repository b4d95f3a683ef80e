"""The gradient of the outer loss where no fusion network lies between the loss generator and the task."""

from __future__ import annotations

from dataclasses import replace

import torch

from metaloss.batch import FusionBatch
from metaloss.hypergradient.calls import fuse
from metaloss.hypergradient.fast_weights import FastWeights
from metaloss.hypergradient.problem import MetaGradient, MetaProblem
from metaloss.hypergradient.unroll import outer_gradient, update_task


def direct(problem: MetaProblem, meta_train: FusionBatch, meta_test: FusionBatch) -> MetaGradient:
    """Computes ``dL_t(T', sum_k w_k I_k) / dtheta_G`` on the meta-test batch (TDFusion Table 3, V).

    There is no L_f and no inner update of F; T' is as in Eq. 5, on the weighted sum held fixed.

    Args:
        problem: its fusion is a :class:`metaloss.networks.WeightedSum` that shares the loss's generator.
        meta_train: the batch of T's inner updates.
        meta_test: the batch of the outer loss.

    Returns:
        The gradient, under the generator's names; ``inner_loss`` is 0, for want of a fusion loss.
    """
    batch = replace(meta_train, fusion_view=None)
    fusion = FastWeights.of(problem.fusion)
    task = FastWeights.of(problem.task, problem.task_state)
    losses = []
    for _ in range(problem.steps):
        with torch.no_grad(), fusion.swapped(fusion.params) as network:
            fused = fuse(network, batch.sources, problem.execution)
        losses.append(update_task(problem, task, fusion, fused, batch))
    outer_loss, gradient = outer_gradient(fusion, task, meta_test, problem.execution)
    return MetaGradient(gradient, torch.zeros_like(outer_loss), losses[0], outer_loss)
