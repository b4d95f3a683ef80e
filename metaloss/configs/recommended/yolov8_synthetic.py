"""The recommended training with YOLOv8-n on procedural scenes, nothing to download; see docs/recommended.md."""

_base_ = "../tdfusion/yolov8_synthetic.py"

max_epochs = 12

model = dict(
    inner_update="image",
    loss=dict(
        gradient="learned",
        generator=dict(type="metaloss.LossGenerator", outputs=("intensity", "gradient"), level=True),
    ),
)
train_cfg = dict(max_epochs=max_epochs, schedule="interleaved")
param_scheduler = dict(fusion=[], task=[], loss=[dict(type="PolyLR", power=2.0, eta_min=0.0, end=max_epochs)])

settings = dict(max_epochs=["train_cfg.max_epochs", "param_scheduler.loss.0.end"])
