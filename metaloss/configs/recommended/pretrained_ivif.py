"""What the weights ``ivif`` that come with metaloss are trained by: procedural scenes, nothing to download."""

_base_ = "./segformer_synthetic.py"

train_scenes = 160
image_size = (144, 192)
crop_size = (96, 128)
task_size = (144, 192)
max_epochs = 8
meta_steps = 80  # one to a fusion step

train_dataloader = dict(dataset=dict(length=train_scenes, size=image_size, varied=True))
val_dataloader = dict(dataset=dict(size=image_size, varied=True))
train_cfg = dict(max_epochs=max_epochs, meta_steps=meta_steps, fusion_crop=crop_size, task_size=task_size)
val_cfg = dict(task_size=task_size)
param_scheduler = dict(loss=[dict(type="PolyLR", power=2.0, eta_min=0.0, end=max_epochs)])
