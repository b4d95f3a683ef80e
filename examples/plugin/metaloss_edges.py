"""A task, finding the borders of labelled regions, and a fusion network, for metaloss."""

import torch
from torch import nn
from torch.nn import functional as F
from torchmetrics.classification import BinaryJaccardIndex

import metaloss
from metaloss.plugins import Record


class Edges(metaloss.TaskAdapter):
    def __init__(self, *, width=8):
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(1, width, 3, padding=1), nn.SiLU(), nn.Conv2d(width, 1, 3, padding=1))

    def targets(self, batch):  # class ids (B, H, W) -> 1 where a neighbour has another one
        ids = batch.target[:, None].float()
        return (F.max_pool2d(ids, 3, 1, 1) != -F.max_pool2d(-ids, 3, 1, 1)).float()

    def forward(self, fused, target):
        return F.binary_cross_entropy_with_logits(self.net(fused), target.to(fused))

    def predict(self, fused):
        with torch.no_grad():
            return self.net(fused).sigmoid()

    def evaluator(self):
        return Overlap()


class Overlap:
    def __init__(self):
        self.metric = BinaryJaccardIndex()

    def update(self, predictions, target):
        self.metric.to(target.device).update(torch.stack(list(predictions)), target.int())

    def compute(self):
        return {"edges/IoU": float(self.metric.compute())}


class TwoLayers(nn.Module):
    def __init__(self, *, sources=2, width=16):
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(sources, width, 3, padding=1), nn.SiLU(), nn.Conv2d(width, 1, 3, padding=1))

    def forward(self, *sources):
        return self.net(torch.cat(sources, dim=1)).sigmoid()


@metaloss.hookimpl
def metaloss_tasks():
    return [Record("edges", Edges, description="borders of labelled regions")]


@metaloss.hookimpl
def metaloss_fusion_networks():
    return [Record("two_layers", TwoLayers, description="two convolutions")]
