"""timm's networks as tasks, and as backbones of fusion networks and loss generators, for metaloss."""

from metaloss.plugins import Record, hookimpl


@hookimpl
def metaloss_tasks() -> list[Record]:
    """The task ``"timm"``: classification with any timm model."""
    return [
        Record(
            "timm",
            "metaloss_timm.adapter:ClassificationTask",
            requires=("timm",),
            description="classification of whole images with any timm model (resnet18, ...)",
        )
    ]


@hookimpl
def metaloss_fusion_networks() -> list[Record]:
    """A fusion network on the features of a timm model."""
    return [
        Record(
            "timm_features",
            "metaloss_timm.features:FeatureFusion",
            requires=("timm",),
            description="a small head on the features of any timm backbone",
        )
    ]


@hookimpl
def metaloss_loss_generators() -> list[Record]:
    """A loss generator on the features of a timm model."""
    return [
        Record(
            "timm_features",
            "metaloss_timm.features:FeatureGenerator",
            requires=("timm",),
            description="a small head on the features of any timm backbone, softmax over the sources",
        )
    ]
