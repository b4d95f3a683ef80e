"""MMDetection's networks as tasks of metaloss."""

from metaloss.plugins import Record, hookimpl


@hookimpl
def metaloss_tasks() -> list[Record]:
    """The task ``"mmdet"``: any MMDetection config."""
    return [
        Record(
            "mmdet",
            "metaloss_mmdet.adapter:DetectionTask",
            requires=("mmdet",),
            description="object detection with any MMDetection config (YOLOX, RTMDet, Faster R-CNN, DETR, ...)",
        )
    ]
