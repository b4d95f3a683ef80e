"""TDFusion with SegFormer-B0 on MSRS: 1083 and 361 infrared and visible images of streets, 8 classes and background."""

_base_ = "../_base_/known_segmentation.py"

import os

data_root = os.path.join(os.environ.get("METALOSS_DATA") or "data", "msrs_seg")
classes = ("unlabelled", "car", "person", "bike", "curve", "car stop", "guardrail", "colour cone", "bump")

model = dict(task=dict(classes=classes))
train_dataloader = dict(dataset=dict(name="msrs", root=data_root, classes=classes))
val_dataloader = dict(dataset=dict(name="msrs", root=data_root, classes=classes))
