# TDFusion with a detector on procedural scenes. What builds on this names the task.

_base_ = "./detection.py"

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
seed = 0
classes = ("person", "sign", "car")

train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type="metaloss.SyntheticScenes",
        length=train_scenes,
        size=image_size,
        seed=seed,
        target="detection",
    )
)
val_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type="metaloss.SyntheticScenes",
        length=val_scenes,
        size=image_size,
        seed=seed + 1,
        target="detection",
    )
)
