"""What some detectors expect of MMDetection's own trainer, leave unset, or do not survive."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mmengine.logging import MessageHub
from torch import Tensor, nn

from metaloss.errors import ConfigError
from metaloss_mmdet.framework import DeformConv2d, ModulatedDeformConv2d, SSDHead


def complete(detector: nn.Module) -> None:
    """Makes parts of a detector that would fail, or end the process, work or say what is wrong.

    Args:
        detector: just built.
    """
    for module in detector.modules():
        if isinstance(module, SSDHead) and not hasattr(module, "loss_cls"):
            module.loss_cls = None  # a prediction asks for it; the head's loss is written into it
        if isinstance(module, (DeformConv2d, ModulatedDeformConv2d)):
            module.register_forward_pre_hook(_check_arguments)
            if isinstance(offsets := getattr(module, "conv_offset", None), nn.Module):
                offsets.register_forward_hook(_check_result)


def _check_arguments(_: nn.Module, arguments: tuple[Any, ...]) -> None:
    _check(*arguments)


def _check_result(_: nn.Module, __: tuple[Any, ...], offsets: Tensor) -> None:
    _check(offsets)


def _check(*values: Any) -> None:
    """On the CPU mmcv's operator takes the place that an offset says for granted: nan would end the process."""
    if any(isinstance(value, Tensor) and value.device.type == "cpu" and not value.isfinite().all() for value in values):
        raise ConfigError(
            "a deformable convolution of the detector was given nan or infinity, as its values have grown out of "
            "bounds: lower lr and inner_lr, bound inner gradients with inner_clip, or give larger images "
            "(task_size in a config)"
        )


@contextmanager
def known_epoch() -> Iterator[None]:
    """Answers a head that asks for the trainer's epoch (TOOD's) with the first one, where no trainer runs."""
    hub = MessageHub.get_current_instance()
    if hub.get_info("epoch") is not None:
        yield
        return
    hub.update_info("epoch", 0)
    try:
        yield
    finally:
        hub.pop_info("epoch")
