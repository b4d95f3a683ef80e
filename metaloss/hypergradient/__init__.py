"""Hypergradient methods: one file each, one signature, chosen by one word."""

from metaloss.hypergradient.auto import Auto
from metaloss.hypergradient.finite_difference import finite_difference
from metaloss.hypergradient.forward import forward
from metaloss.hypergradient.problem import HypergradientMethod, MetaGradient, MetaProblem
from metaloss.hypergradient.reverse import reverse

__all__ = ["Auto", "HypergradientMethod", "MetaGradient", "MetaProblem", "finite_difference", "forward", "reverse"]
