"""MMSegmentation's networks as tasks of metaloss."""

from metaloss.plugins import Record, hookimpl


@hookimpl
def metaloss_tasks() -> list[Record]:
    """The task ``"mmseg"``: any MMSegmentation config."""
    return [
        Record(
            "mmseg",
            "metaloss_mmseg.adapter:SegmentationTask",
            requires=("mmseg",),
            description="semantic segmentation with any MMSegmentation config (SegFormer, ...)",
        )
    ]
