"""What an inner update of F started from and gave."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from metaloss.hypergradient.random_state import RandomState


@dataclass(frozen=True)
class InnerStep:
    """An inner step of F (Eq. 4), with enough to differentiate it.

    Attributes:
        params: theta_F before the update.
        grads: g = dL_f/dtheta_F, averaged over the processes.
        own_grads: that of this process alone.
        state: of the rule before the update.
        buffers: F's before the forward pass.
        fused: F's image in the fusion loss's view, detached.
        loss_buffers: of L_f before the forward pass.
        random: the generators before the forward pass of F.
        loss_random: the generators before that of L_f.
    """

    params: dict[str, Tensor]
    grads: dict[str, Tensor]
    own_grads: dict[str, Tensor]
    state: Any
    buffers: dict[str, Tensor]
    fused: Tensor
    loss_buffers: dict[str, Tensor]
    random: RandomState
    loss_random: RandomState
