"""ReFusion for multi-focus photographs, from reconstruction: no labels."""

_base_ = "../_base_/refusion.py"

import os

data_root = os.path.join(os.environ.get("METALOSS_DATA") or "data", "multifocus")
sources = (("A", "B"),)
tiles = (3, 3)
crop_size = (96, 96)

model = dict(fusion=dict(sources=sources), loss=dict(generator=dict(sources=sources)), task=dict(sources=sources))
train_dataloader = dict(dataset=dict(grid=tiles, dataset=dict(name="lytro", root=data_root, sources=sources)))
val_dataloader = dict(dataset=dict(name="lytro", root=data_root, sources=sources))
train_cfg = dict(fusion_crop=crop_size)
