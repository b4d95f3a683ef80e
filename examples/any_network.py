"""Learns the loss of fusion networks that nobody wrote for metaloss: a few lines wrap each.

    python examples/any_network.py --network densefuse|unet|two_branch [--epochs 3]

Trains on procedural scenes, nothing to download. The U-Net takes one concatenated tensor; DenseFuse has no forward of
its own that fuses; the two-branch transformer takes and returns dicts.
"""

from __future__ import annotations

import argparse

import torch
from densefuse import DenseFuse
from torch import nn
from unet import UNet

import metaloss
from metaloss.data import SyntheticScenes
from metaloss.testing import check_fusion


def densefuse() -> nn.Module:
    """Features of both images are added, as DenseFuse does it."""
    return metaloss.Adapted(DenseFuse(), lambda net, ir, vi: net.decode(net.encode(ir) + net.encode(vi)))


def unet() -> nn.Module:
    """One tensor with a channel per source."""
    return metaloss.Concatenated(UNet())


def two_branch() -> nn.Module:
    """A transformer with a branch per sensor, dicts in and out."""
    from two_branch import TwoBranch

    return metaloss.Adapted(TwoBranch(), lambda net, ir, vi: net({"ir": ir, "vi": vi})["fused"])


NETWORKS = {"densefuse": densefuse, "unet": unet, "two_branch": two_branch}


def main() -> None:
    """Checks the network, trains it, and says what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", choices=NETWORKS, default="densefuse")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--scenes", type=int, default=8)
    parser.add_argument("--size", type=int, default=48, help="side of a scene, pixels: a multiple of 4")
    arguments = parser.parse_args()

    torch.manual_seed(0)
    network = NETWORKS[arguments.network]()
    scenes = SyntheticScenes(arguments.scenes, size=arguments.size)
    print(check_fusion(network, *(source[None] for source in scenes[0]["sources"])))
    learner = metaloss.MetaLearner(
        fusion=network,
        loss=metaloss.LearnableFusionLoss(),
        task=metaloss.ModuleTask(nn.Conv2d(1, scenes.num_classes, 5, padding=2), nn.functional.cross_entropy),
        hypergradient="forward",
        inner_lr=1e-2,
        lr=1e-3,
    )
    log = learner.fit(scenes, epochs=arguments.epochs, meta_steps=2, warmup_epochs=1)
    for epoch in log:
        print(f"epoch {epoch['epoch']}: fusion loss {epoch['loss']:.4f}, task loss {epoch['task_loss']:.4f}")


if __name__ == "__main__":
    main()
