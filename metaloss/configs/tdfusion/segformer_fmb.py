"""TDFusion with SegFormer-B0 on FMB: 1220 and 280 infrared and visible images of streets, 14 classes and background."""

_base_ = "../_base_/known_segmentation.py"

import os

data_root = os.path.join(os.environ.get("METALOSS_DATA") or "data", "fmb")
task_size = (300, 400)
classes = (
    "unlabelled",
    "road",
    "sidewalk",
    "building",
    "traffic light",
    "traffic sign",
    "vegetation",
    "sky",
    "person",
    "car",
    "truck",
    "bus",
    "motorcycle",
    "bicycle",
    "pole",
)

model = dict(task=dict(classes=classes))
train_dataloader = dict(dataset=dict(name="fmb", root=data_root, classes=classes))
val_dataloader = dict(dataset=dict(name="fmb", root=data_root, classes=classes))
train_cfg = dict(task_size=task_size)
val_cfg = dict(task_size=task_size)
