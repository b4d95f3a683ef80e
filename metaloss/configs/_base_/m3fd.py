# M3FD: six kinds of object in infrared and visible images of roads.

_base_ = "./detection.py"

import os

data_root = os.path.join(os.environ.get("METALOSS_DATA") or "data", "m3fd")
task_size = (192, 256)
classes = ("People", "Car", "Bus", "Lamp", "Motorcycle", "Truck")

model = dict(task=dict(classes=classes))
train_dataloader = dict(dataset=dict(name="m3fd", root=data_root, classes=classes))
val_dataloader = dict(dataset=dict(name="m3fd", root=data_root, classes=classes))
train_cfg = dict(task_size=task_size)
val_cfg = dict(task_size=task_size)
