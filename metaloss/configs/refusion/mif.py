"""ReFusion for medical images (MRI with CT, PET and SPECT), from reconstruction: no labels."""

_base_ = "../_base_/refusion.py"

import os

data_root = os.path.join(os.environ.get("METALOSS_DATA") or "data", "medical")
sources = (("CT", "MRI"), ("PET", "MRI"), ("SPECT", "MRI"))
train_split = "train"  # by case: no patient is in both
val_split = "test"

model = dict(fusion=dict(sources=sources), loss=dict(generator=dict(sources=sources)), task=dict(sources=sources))
train_dataloader = dict(dataset=dict(dataset=dict(name="harvard", root=data_root, sources=sources, split=train_split)))
val_dataloader = dict(dataset=dict(name="harvard", root=data_root, sources=sources, split=val_split))
