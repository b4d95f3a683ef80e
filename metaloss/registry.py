"""Where MMEngine looks for the registries of the scope ``metaloss``."""

from metaloss.engine.registry import DATASETS, HOOKS, LOOPS, METRICS, MODELS, RUNNERS

__all__ = ["DATASETS", "HOOKS", "LOOPS", "METRICS", "MODELS", "RUNNERS"]
