"""Reconstruction of the sources, as a task: fusion without labels (ReFusion, IJCV 2024)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from metaloss.batch import FusionBatch
from metaloss.losses.reconstruction import ReconstructionLoss
from metaloss.metrics import structural_similarity
from metaloss.networks import SourceReconstructor
from metaloss.runtime.modes import evaluating
from metaloss.runtime.processes import gathered
from metaloss.tasks.base import TaskAdapter, TaskEvaluator


class ReconstructionTask(TaskAdapter):
    """The reconstructor R, and how well it gives the sources back.

    A fused image from which all sources can be told is one that has kept what they show. The targets
    are the sources themselves: no label is read.

    Output k of R stands for source k **of the data set**, wherever a source exchange has put it. R sees
    the fused image alone. Were the order of the exchanged batch asked of it, the best answer to every
    image would be the same blend of all sources, or a fused image that gives its sources' places away.

    Args:
        network: R, fused (B, C, H, W) -> n images of the same shape; default:
            :class:`metaloss.networks.SourceReconstructor`.
        sources: n, for the default network.
        alpha: the factor of the loss's gradient term, 0 or more.

    Raises:
        ConfigError: fewer than two sources, or a negative factor.

    Examples:
        >>> import torch
        >>> import metaloss
        >>> task = metaloss.ReconstructionTask()
        >>> batch = metaloss.FusionBatch(sources=(torch.rand(2, 1, 16, 16), torch.rand(2, 1, 16, 16)))
        >>> task(batch.sources[0], task.targets(batch)).shape
        torch.Size([])
    """

    def __init__(self, network: nn.Module | None = None, *, sources: int = 2, alpha: float = 1.0) -> None:
        super().__init__()
        if network is None:
            network = SourceReconstructor(sources)
        self.network = network
        self.loss = ReconstructionLoss(alpha)

    def forward(self, fused: Tensor, target: Sequence[Tensor]) -> Tensor:
        """Measures the reconstruction loss.

        Args:
            fused: of shape (B, C, H, W), in [0, 1].
            target: the n sources, each of that shape, in the data set's order.

        Returns:
            0-d; see :func:`metaloss.losses.reconstruction_loss`.

        Raises:
            ShapeError: R gave another number of images, or images of other shapes.
        """
        total: Tensor = self.loss(self.network(fused), target).total
        return total

    def targets(self, batch: FusionBatch) -> tuple[Tensor, ...]:
        """Gives the sources that the task sees, each where the data set has it."""
        if batch.order is None:
            return batch.sources
        places = batch.order.argsort(1)
        rows = torch.arange(len(batch), device=places.device).unsqueeze(1)
        return torch.stack(batch.sources, dim=1)[rows, places].unbind(1)

    def predict(self, fused: Tensor) -> Tensor:
        """Reconstructs the sources of fused images, without gradient and in evaluation mode.

        Args:
            fused: of shape (B, C, H, W), in [0, 1].

        Returns:
            Of shape (B, n, C, H, W).
        """
        with evaluating(self.network), torch.no_grad():
            return torch.stack(tuple(self.network(fused)), dim=1)

    def evaluator(self) -> TaskEvaluator:
        """Makes a fresh evaluator of the reconstruction error."""
        return ReconstructionEvaluator()


class ReconstructionEvaluator:
    """Mean squared error, PSNR and SSIM of reconstructions, averaged over sources and scenes.

    Reconstructions are images: they are cut to [0, 1] first. PSNR is in dB, at most 100; SSIM is that of
    :mod:`metaloss.metrics` by the convention ``clean``: Gaussian 11x11 windows.
    """

    SSIM_SIDE = 11

    def __init__(self) -> None:
        self.sums: dict[str, float] = {}
        self.count = 0

    def update(self, predictions: Sequence[Tensor], target: Sequence[Tensor]) -> None:
        """Takes in the reconstructions of B scenes.

        Args:
            predictions: B tensors of shape (n, C, H, W).
            target: the n sources, each (B, C, H, W).
        """
        for number, prediction in enumerate(predictions):
            reconstructed = prediction.clamp(0, 1)
            sources = torch.stack([source[number] for source in target])
            errors = (reconstructed - sources).square().mean((1, 2, 3))
            values = {
                "reconstruction/MSE": errors.mean(),
                "reconstruction/PSNR": (-10 * errors.clamp_min(1e-10).log10()).mean(),
            }
            if min(sources.shape[-2:]) >= self.SSIM_SIDE:
                found, true = ((x * 255).flatten(0, 1).unsqueeze(1).clamp(0, 255) for x in (reconstructed, sources))
                # of one image: the fusion metric averages over at least two sources
                values["reconstruction/SSIM"] = structural_similarity(found, [true, true], convention="clean").mean()
            for name, value in values.items():
                self.sums[name] = self.sums.get(name, 0.0) + float(value)
            self.count += 1

    def compute(self) -> dict[str, float]:
        """Returns ``reconstruction/MSE``, ``/PSNR`` and, for images of 11 pixels or more, ``/SSIM``."""
        parts = gathered((self.sums, self.count))
        total = sum(count for _, count in parts)
        names = {name: None for sums, _ in parts for name in sums}
        return {name: sum(sums.get(name, 0.0) for sums, _ in parts) / total for name in names}
