"""Saves a learner in a file of its own, beside any training folder."""

from __future__ import annotations

import os

from metaloss.runtime import files
from metaloss.runtime.processes import gathered, rank
from metaloss.training.checkpoint import content_of
from metaloss.training.trained import Trained


def save(learner: Trained, path: str | os.PathLike[str]) -> None:
    """Writes a checkpoint: networks, optimizers, random states, progress, settings and what it was trained on.

    :func:`metaloss.load`, ``metaloss.Fuser.load``, ``metaloss fuse --weights`` and ``metaloss weights --weights`` read
    it. A fusion network that no name stands for has to be given to them again. Of several processes the first writes,
    and all have to call it.

    Args:
        learner: with its networks.
        path: the file; missing folders are made, and it is never half there.

    Raises:
        CheckpointError: it cannot be written, or would hold what needs code to be read again.
        MetaGradientError: weights that are not finite; nothing is written then.

    Example:
        >>> import torch
        >>> import metaloss
        >>> learner = metaloss.MetaLearner(
        ...     fusion=metaloss.networks.ReFusionNet(),
        ...     loss=metaloss.LearnableFusionLoss(),
        ...     task=metaloss.ModuleTask(torch.nn.Conv2d(1, 2, 1), torch.nn.functional.cross_entropy),
        ... )
        >>> learner.save("mine.pth")
        >>> network = metaloss.load("mine.pth")
    """
    content = content_of(learner, **(learner.run or {"settings": learner.settings}))
    if rank() == 0:
        files.save(path, content)
    gathered(None)  # nobody goes on before the file is there
