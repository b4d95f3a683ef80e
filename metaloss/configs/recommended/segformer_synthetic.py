"""The recommended training with SegFormer-B0 on procedural scenes: needs no download: see docs/recommended.md for what it changes."""

_base_ = "../tdfusion/segformer_synthetic.py"

model = dict(inner_update="image", loss=dict(gradient="learned"))
train_cfg = dict(schedule="interleaved")
