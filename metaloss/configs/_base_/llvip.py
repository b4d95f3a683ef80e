# LLVIP: pedestrians in infrared and visible images of streets at night. The paper takes every tenth pair:
# train_split=train[::10] val_split=test[::10].

_base_ = "./detection.py"

import os

data_root = os.path.join(os.environ.get("METALOSS_DATA") or "data", "llvip")
task_size = (256, 320)
classes = ("person",)

model = dict(task=dict(classes=classes))
train_dataloader = dict(dataset=dict(name="llvip", root=data_root, classes=classes))
val_dataloader = dict(dataset=dict(name="llvip", root=data_root, classes=classes))
train_cfg = dict(task_size=task_size)
val_cfg = dict(task_size=task_size)
