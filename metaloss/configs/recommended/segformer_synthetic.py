"""The recommended training with SegFormer-B0 on procedural scenes, nothing to download; see docs/recommended.md."""

_base_ = "../tdfusion/segformer_synthetic.py"

model = dict(inner_update="image", loss=dict(gradient="learned"))
train_cfg = dict(schedule="interleaved")
