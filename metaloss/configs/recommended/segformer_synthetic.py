"""The recommended training with SegFormer-B0 on procedural scenes, nothing to download; see docs/recommended.md."""

_base_ = "../tdfusion/segformer_synthetic.py"

meta_steps = 18  # one to a fusion step: in image space they cost no more

model = dict(
    inner_update="image",
    loss=dict(
        gradient="learned",
        generator=dict(type="metaloss.LossGenerator", outputs=("intensity", "gradient"), level=True),
    ),
)
train_cfg = dict(meta_steps=meta_steps, schedule="interleaved")
