"""Inner update rules: how F and T become the fast weights F' and T'."""

from metaloss.inner.adam import adam
from metaloss.inner.clip import clipped
from metaloss.inner.momentum import sgd_momentum
from metaloss.inner.rules import RULES, InnerRate, InnerRule, build_rule
from metaloss.inner.sgd import sgd

__all__ = ["RULES", "InnerRate", "InnerRule", "adam", "build_rule", "clipped", "sgd", "sgd_momentum"]
