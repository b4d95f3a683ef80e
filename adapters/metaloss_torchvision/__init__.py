"""torchvision's segmentation networks and detectors as tasks, for metaloss."""

from metaloss.plugins import Record, hookimpl


@hookimpl
def metaloss_tasks() -> list[Record]:
    """The task ``"torchvision"``: a segmentation network or a box detector by its builder's name."""
    return [
        Record(
            "torchvision",
            "metaloss_torchvision.build:build_torchvision",
            requires=("torchvision", "pycocotools"),
            description="segmentation and detection with torchvision's networks (DeepLabV3, FCOS, ...)",
        )
    ]
