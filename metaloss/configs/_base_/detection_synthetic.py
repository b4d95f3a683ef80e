# TDFusion with a detector on procedural scenes. What builds on this names the task.

_base_ = "./synthetic.py"

train_scenes = 64
val_scenes = 16
image_size = (96, 128)
max_epochs = 12
warmup_epochs = 3
meta_steps = 8
crop_size = (64, 64)
task_size = (96, 128)
lr = 1e-3
inner_lr = 1e-2
classes = ("person", "sign", "car")

model = dict(task=dict(classes=classes), inner_lr=inner_lr)
optim_wrapper = dict(
    fusion=dict(optimizer=dict(lr=lr)), task=dict(optimizer=dict(lr=lr)), loss=dict(optimizer=dict(lr=lr))
)
train_dataloader = dict(dataset=dict(length=train_scenes, size=image_size, target="detection"))
val_dataloader = dict(dataset=dict(length=val_scenes, size=image_size, target="detection"))
train_cfg = dict(
    max_epochs=max_epochs,
    warmup_epochs=warmup_epochs,
    meta_steps=meta_steps,
    fusion_crop=crop_size,
    task_size=task_size,
)
val_cfg = dict(task_size=task_size)
