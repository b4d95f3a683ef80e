"""The built-in records, registered through the same hooks as everyone's."""

from __future__ import annotations

from metaloss.plugins.hookspecs import hookimpl
from metaloss.plugins.records import PublishedNetwork, Record


@hookimpl
def metaloss_tasks() -> list[Record]:
    """Tasks that need no framework."""
    return [
        Record("module", "metaloss.tasks:ModuleTask", description="any nn.Module and a loss function"),
        Record("multi", "metaloss.tasks:MultiTask", description="several tasks at once, by name, with weights"),
        Record(
            "reconstruction",
            "metaloss.tasks:ReconstructionTask",
            description="the sources, from the fused image: ReFusion, no labels",
        ),
    ]


@hookimpl
def metaloss_fusion_networks() -> list[Record]:
    """The reference fusion network, and the sum that an ablation puts in its place."""
    return [
        PublishedNetwork(
            "refusion",
            "metaloss.networks:ReFusionNet",
            description="the network of ReFusion and TDFusion, 59,856 parameters",
            paper="Bai, Zhao, Zhang, Wu, Deng, Cui, Jiang, Xu: ReFusion: Learning Image Fusion from Reconstruction "
            "with Learnable Loss via Meta-Learning. International Journal of Computer Vision, 2024",
            repository="https://github.com/HaowenBai/ReFusion",
            range="sources and image in [0, 1]",
            parameters=59_856,
            rename="metaloss.networks.official:convert_official",
        ),
        Record(
            "weighted_sum",
            "metaloss.networks:WeightedSum",
            description="the sources, weighted by a loss generator (ablation V of TDFusion)",
        ),
    ]


@hookimpl
def metaloss_loss_generators() -> list[Record]:
    """The reference loss generator."""
    return [
        Record(
            "restormer", "metaloss.networks:LossGenerator", description="Restormer blocks, as in TDFusion and ReFusion"
        )
    ]


@hookimpl
def metaloss_hypergradients() -> list[Record]:
    """The methods of metaloss.hypergradient."""
    return [
        Record("forward", "metaloss.hypergradient:forward", description="exact, forward mode: least memory"),
        Record("reverse", "metaloss.hypergradient:reverse", description="exact, double backward"),
        Record(
            "finite_difference", "metaloss.hypergradient:finite_difference", description="approximate, any operator"
        ),
    ]
