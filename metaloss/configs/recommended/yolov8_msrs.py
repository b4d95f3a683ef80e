"""The recommended training with YOLOv8-n on MSRS; see docs/recommended.md."""

_base_ = "../tdfusion/yolov8_msrs.py"

model = dict(inner_update="image", loss=dict(gradient="learned"))
train_cfg = dict(schedule="interleaved")
