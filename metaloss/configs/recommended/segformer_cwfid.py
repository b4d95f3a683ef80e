"""The recommended training with SegFormer-B0 on CWFID; see docs/recommended.md."""

_base_ = "../tdfusion/segformer_cwfid.py"

max_epochs = 50

model = dict(
    inner_update="image",
    loss=dict(
        gradient="learned",
        generator=dict(type="metaloss.LossGenerator", outputs=("intensity", "gradient"), level=True),
    ),
)
train_cfg = dict(max_epochs=max_epochs, schedule="interleaved")
param_scheduler = dict(
    fusion=[], task=[], loss=[dict(type="LinearLR", start_factor=1.0, end_factor=0.1, end=max_epochs)]
)

settings = dict(max_epochs=["train_cfg.max_epochs", "param_scheduler.loss.0.end"])
