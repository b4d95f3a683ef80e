"""Batch norm as torch can run it."""

from __future__ import annotations

import torch
from mmengine.model import revert_sync_batchnorm
from torch import nn


def with_batch_norm_that_runs(network: nn.Module) -> nn.Module:
    """Turns SyncBatchNorm, which refuses tensors on the CPU, into plain batch norm outside of NCCL.

    An ``eps`` of 0 (NAS-FCOS), which torch refuses in training, becomes too small to count.
    """
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.eps == 0:
            module.eps = 1e-12
    if torch.distributed.is_initialized() and "nccl" in torch.distributed.get_backend():
        return network
    plain: nn.Module = revert_sync_batchnorm(network)
    return plain
