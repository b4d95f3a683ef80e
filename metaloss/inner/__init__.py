"""Inner update rules: how F and T become the fast weights F' and T'."""

from metaloss.inner.rules import RULES, InnerRule, build_rule
from metaloss.inner.sgd import sgd

__all__ = ["RULES", "InnerRule", "build_rule", "sgd"]
