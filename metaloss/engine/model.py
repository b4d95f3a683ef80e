"""F, G and T in one MMEngine model."""

from __future__ import annotations

from typing import Any

from mmengine.model import BaseModel
from mmengine.optim import OptimWrapperDict
from torch import Tensor, nn

from metaloss.batch import FusionBatch
from metaloss.engine.registry import MODELS
from metaloss.tasks.base import defines
from metaloss.training.learner import MetaLearner

Built = dict[str, Any] | nn.Module


@MODELS.register_module()
class MetaLossModel(BaseModel):
    """Holds the fusion network, the fusion loss and the task network; a :class:`MetaLearner` trains them.

    Args:
        fusion: F, a module or its config; or ``"weighted_sum"``, see :mod:`metaloss.training.variants`.
        loss: L_f with its loss generator, likewise.
        task: T, likewise.
        settings: of :class:`metaloss.MetaLearner`: ``hypergradient``, ``inner_steps``, ``inner_lr`` ...
    """

    def __init__(self, *, fusion: Built | str, loss: Built, task: Built, **settings: Any) -> None:
        super().__init__()
        self.loss = _build(loss)
        self.task = _build(task)
        built: Any = fusion if isinstance(fusion, str) else _build(fusion)
        self.learner = MetaLearner(fusion=built, loss=self.loss, task=self.task, **settings)
        self.fusion = self.learner.fusion

    def init_weights(self) -> None:
        """Nothing: every part has initialised itself when it was built."""

    def use(self, optimizers: OptimWrapperDict) -> None:
        """Lets the learner step with the trainer's optimizers."""
        for name in optimizers.keys():  # noqa: SIM118 - it is no mapping
            self.learner.use_optimizer(name, optimizers[name])

    def forward(self, *sources: Tensor, **_: Any) -> Tensor:
        """Fuses n sources (B, C, H, W) into one image."""
        fused: Tensor = self.fusion(*sources)
        return fused

    def train_step(self, data: FusionBatch, optim_wrapper: OptimWrapperDict) -> dict[str, Tensor]:
        """A fusion step, so that MMEngine's own loops run too (without meta steps)."""
        self.use(optim_wrapper)
        return self.learner.fusion_step(self.on_device(data))

    def val_step(self, data: FusionBatch) -> list[dict[str, Any]]:
        """Fuses and predicts.

        Args:
            data: a batch.

        Returns:
            One dict per scene: ``fused`` (C, H, W), the ``sources`` (C, H, W) each, and, where the
            task is an adapter that predicts, its ``prediction``.
        """
        batch = self.on_device(data)
        fused = self.learner.fuse(*batch.sources)
        predictions = self.task.predict(fused) if defines(self.task, "predict") else [None] * len(batch)
        return [
            {"fused": image, "prediction": prediction, "sources": tuple(source[number] for source in batch.sources)}
            for number, (image, prediction) in enumerate(zip(fused, predictions, strict=True))
        ]

    test_step = val_step

    def on_device(self, batch: FusionBatch) -> FusionBatch:
        """The batch where the model is."""
        return batch.to(next(self.parameters()).device)


def _build(part: Built) -> nn.Module:
    return part if isinstance(part, nn.Module) else MODELS.build(part)
