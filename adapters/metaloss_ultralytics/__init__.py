"""ultralytics' detectors as tasks of metaloss."""

from metaloss.plugins import Record, hookimpl


@hookimpl
def metaloss_tasks() -> list[Record]:
    """The task ``"ultralytics"``: YOLO detectors by the name of their model file."""
    return [
        Record(
            "ultralytics",
            "metaloss_ultralytics.adapter:DetectionTask",
            requires=("ultralytics",),
            description="object detection with ultralytics' YOLO models (YOLOv8, YOLO11); AGPL-3.0",
        )
    ]
