"""Training: the learner, its steps, their schedule, and checkpoints."""

from metaloss.training.learner import MetaLearner
from metaloss.training.schedule import Schedule

__all__ = ["MetaLearner", "Schedule"]
