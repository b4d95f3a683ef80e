"""Tasks: what a fused image is for."""

from metaloss.tasks.base import TaskAdapter, TaskEvaluator, can_be_scored, targets_of, task_loss
from metaloss.tasks.module import ModuleTask
from metaloss.tasks.multi import MultiTask
from metaloss.tasks.reconstruction import ReconstructionTask

__all__ = [
    "ModuleTask",
    "MultiTask",
    "ReconstructionTask",
    "TaskAdapter",
    "TaskEvaluator",
    "can_be_scored",
    "targets_of",
    "task_loss",
]
