"""Training: the learner, its steps, their schedule, and checkpoints."""

from metaloss.training.learner import MetaLearner

__all__ = ["MetaLearner"]
