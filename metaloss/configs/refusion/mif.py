"""ReFusion for medical images (MRI with CT, PET and SPECT), from reconstruction: no labels."""

_base_ = "../_base_/refusion.py"

import os

data_root = os.path.join(os.environ.get("METALOSS_DATA") or "data", "medical")
sources = (("MRI_CT/CT", "MRI_CT/MRI"), ("MRI_PET/PET", "MRI_PET/MRI"), ("MRI_SPECT/SPECT", "MRI_SPECT/MRI"))

model = dict(fusion=dict(sources=sources), loss=dict(generator=dict(sources=sources)), task=dict(sources=sources))
train_dataloader = dict(dataset=dict(dataset=dict(root=data_root, sources=sources)))
val_dataloader = dict(dataset=dict(root=data_root, sources=sources))
