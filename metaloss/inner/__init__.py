"""Inner update rules: how F and T become the fast weights F' and T'."""

from metaloss.inner.adam import adam
from metaloss.inner.clip import clipped
from metaloss.inner.momentum import sgd_momentum
from metaloss.inner.rules import RULES, InnerRate, InnerRule, build_rule
from metaloss.inner.sgd import sgd
from metaloss.inner.update import InnerUpdate, InnerUpdates, rate_pair

__all__ = [
    "RULES",
    "InnerRate",
    "InnerRule",
    "InnerUpdate",
    "InnerUpdates",
    "adam",
    "build_rule",
    "clipped",
    "rate_pair",
    "sgd",
    "sgd_momentum",
]
