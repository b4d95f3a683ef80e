"""The rows of a study: what each changes in the settings of a training."""

from __future__ import annotations

from typing import Any

UNIFORM = "uniform"
ROWS: dict[str, dict[str, Any]] = {
    UNIFORM: {"weights": "uniform"},
    "uniform both": {"weights": "uniform", "gradient": "learned"},  # in both terms: the recommended loss, not learned
    "network": {},  # TDFusion: an inner update of F's parameters, the meta steps of an epoch before its fusion steps
    "image": {"inner_update": "image"},
    "recommended": {"inner_update": "image", "schedule": "interleaved", "gradient": "learned", "loss_decay": True},
    "weighted sum": {"fusion": "weighted_sum"},
}
"""The first is what the others are compared with."""
