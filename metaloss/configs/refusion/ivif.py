"""ReFusion for infrared and visible images, from reconstruction: no labels."""

_base_ = "../_base_/refusion.py"

import os

data_root = os.path.join(os.environ.get("METALOSS_DATA") or "data", "roadscene")
task_size = (240, 320)

train_dataloader = dict(dataset=dict(dataset=dict(name="roadscene", root=data_root)))
val_dataloader = dict(dataset=dict(name="roadscene", root=data_root))
train_cfg = dict(task_size=task_size)
val_cfg = dict(task_size=task_size)
