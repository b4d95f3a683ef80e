"""TDFusion with SegFormer-B0 on procedural scenes: needs no download."""

_base_ = "../_base_/runtime.py"

train_scenes = 36
val_scenes = 12
image_size = (72, 96)
max_epochs = 10
warmup_epochs = 3
meta_steps = 8
batch_size = 2
crop_size = (48, 64)
task_size = (72, 96)
lr = 1e-3
loss_lr = 5e-4
inner_lr = 1e-2
seed = 0
classes = ("background", "person", "sign", "car")
num_classes = len(classes)

model = dict(
    type="metaloss.MetaLossModel",
    fusion=dict(type="metaloss.FusionNetwork", name="refusion"),
    loss=dict(type="metaloss.LearnableFusionLoss", alpha=1.0),
    task=dict(
        type="metaloss.Task",
        name="mmseg",
        config="mmseg::segformer/segformer_mit-b0_8xb2-160k_ade20k-512x512.py",
        num_classes=num_classes,
        classes=classes,
    ),
    hypergradient="auto",
    inner_steps=1,
    inner_lr=inner_lr,
)
optim_wrapper = dict(
    constructor="metaloss.MetaLossOptimizers",
    fusion=dict(optimizer=dict(type="Adam", lr=lr)),
    task=dict(optimizer=dict(type="Adam", lr=lr)),
    loss=dict(optimizer=dict(type="Adam", lr=loss_lr)),
)
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=0,
    dataset=dict(type="metaloss.SyntheticScenes", length=train_scenes, size=image_size, seed=seed),
)
val_dataloader = dict(
    batch_size=batch_size,
    num_workers=0,
    dataset=dict(type="metaloss.SyntheticScenes", length=val_scenes, size=image_size, seed=seed + 1),
)
train_cfg = dict(
    type="metaloss.MetaLossTrainLoop",
    max_epochs=max_epochs,
    warmup_epochs=warmup_epochs,
    meta_steps=meta_steps,
    fusion_crop=crop_size,
    task_size=task_size,
    val_interval=max_epochs,
)
val_cfg = dict(type="metaloss.MetaLossValLoop", task_size=task_size)
randomness = dict(seed=seed)
