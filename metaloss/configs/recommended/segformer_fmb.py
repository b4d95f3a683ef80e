"""The recommended training with SegFormer-B0 on FMB; see docs/recommended.md."""

_base_ = "../tdfusion/segformer_fmb.py"

model = dict(
    inner_update="image",
    loss=dict(
        gradient="learned",
        generator=dict(type="metaloss.LossGenerator", outputs=("intensity", "gradient"), level=True),
    ),
)
train_cfg = dict(schedule="interleaved")
