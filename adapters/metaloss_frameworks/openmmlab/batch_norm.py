"""Synchronised batch norm where it can run."""

from __future__ import annotations

import torch
from mmengine.model import revert_sync_batchnorm
from torch import nn


def with_batch_norm_that_runs(network: nn.Module) -> nn.Module:
    """Turns SyncBatchNorm, which refuses tensors on the CPU, into plain batch norm outside of NCCL."""
    if torch.distributed.is_initialized() and "nccl" in torch.distributed.get_backend():
        return network
    plain: nn.Module = revert_sync_batchnorm(network)
    return plain
