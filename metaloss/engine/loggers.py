"""Where a training's numbers and pictures go besides the files in its work dir, by one word each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmengine.visualization import Visualizer

from metaloss.engine.registry import VISUALIZERS
from metaloss.errors import ConfigError, nearest

LOGGERS = {"tensorboard": "TensorboardVisBackend", "wandb": "WandbVisBackend"}

Words = str | Sequence[str] | None


def backends_of(loggers: Words) -> list[str]:
    """The types of MMEngine's backends that loggers name.

    Args:
        loggers: ``"tensorboard"``, ``"wandb"``, or several of them.

    Raises:
        ConfigError: another word.
    """
    words = [loggers] if isinstance(loggers, str) else list(loggers or ())
    for word in words:
        if word not in LOGGERS:
            raise ConfigError(
                f"loggers={loggers!r}: no {word!r}{nearest(str(word), LOGGERS)}: choose from {', '.join(LOGGERS)}; "
                "MMEngine's other backends go into visualizer.vis_backends"
            )
    return [LOGGERS[word] for word in dict.fromkeys(words)]


@VISUALIZERS.register_module()
class LoggingVisualizer(Visualizer):
    """MMEngine's visualizer, with backends by one word each.

    Args:
        name: of this visualizer.
        loggers: ``"tensorboard"``, ``"wandb"``, or several of them.
        vis_backends: MMEngine's backends by their configs; those that ``loggers`` name are added.
        options: of ``mmengine.visualization.Visualizer``.

    Raises:
        ConfigError: an unknown logger.
    """

    def __init__(
        self, name: str = "visualizer", *, loggers: Words = (), vis_backends: Any = None, **options: Any
    ) -> None:
        given = [vis_backends] if isinstance(vis_backends, dict) else list(vis_backends or ())
        there = {each.get("type") if isinstance(each, dict) else type(each).__name__ for each in given}
        added = [{"type": backend} for backend in backends_of(loggers) if backend not in there]
        super().__init__(name, vis_backends=[*given, *added], **options)
