"""TDFusion with SegFormer-B0 on CWFID: crop and weed in near-infrared and red images of fields."""

_base_ = "../_base_/segmentation.py"

import os

data_root = os.path.join(os.environ.get("METALOSS_DATA") or "data", "cwfid_seg")
warmup_epochs = 2
meta_steps = 50
crop_size = (192, 192)
classes = ("soil", "crop", "weed")

model = dict(task=dict(classes=classes))
train_dataloader = dict(dataset=dict(root=data_root, classes=classes))
val_dataloader = dict(dataset=dict(root=data_root, classes=classes))
train_cfg = dict(warmup_epochs=warmup_epochs, meta_steps=meta_steps, fusion_crop=crop_size)
