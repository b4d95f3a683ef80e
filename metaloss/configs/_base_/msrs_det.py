# MSRS with boxes: people, bicycles and cars in infrared and visible images of streets.

_base_ = "./detection.py"

import os

data_root = os.path.join(os.environ.get("METALOSS_DATA") or "data", "msrs_det")
classes = ("person", "bicycle", "car")

model = dict(task=dict(classes=classes))
train_dataloader = dict(dataset=dict(name="msrs", root=data_root, classes=classes))
val_dataloader = dict(dataset=dict(name="msrs", root=data_root, classes=classes))
