"""The recommended training with YOLOv8-n on procedural scenes, nothing to download; see docs/recommended.md."""

_base_ = "../tdfusion/yolov8_synthetic.py"

model = dict(
    inner_update="image",
    loss=dict(
        gradient="learned",
        generator=dict(type="metaloss.LossGenerator", outputs=("intensity", "gradient"), level=True),
    ),
)
train_cfg = dict(schedule="interleaved")
