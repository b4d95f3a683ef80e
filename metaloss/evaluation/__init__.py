"""What a way of fusing is worth to a task, and the results of runs."""

from metaloss.evaluation.downstream import Budget, FolderImage, Images, score_task, source_image, train_task
from metaloss.evaluation.results import read_result, write_result
from metaloss.evaluation.watch import Watch

__all__ = [
    "Budget",
    "FolderImage",
    "Images",
    "Watch",
    "read_result",
    "score_task",
    "source_image",
    "train_task",
    "write_result",
]
