"""Tasks: what a fused image is for."""

from metaloss.tasks.base import TaskAdapter, TaskEvaluator, targets_of, task_loss
from metaloss.tasks.module import ModuleTask

__all__ = ["ModuleTask", "TaskAdapter", "TaskEvaluator", "targets_of", "task_loss"]
