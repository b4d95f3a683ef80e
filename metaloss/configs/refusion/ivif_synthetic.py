"""ReFusion for infrared and visible images on procedural scenes: needs no download."""

_base_ = "../_base_/runtime.py"

train_scenes = 36
val_scenes = 12
image_size = (72, 96)
max_epochs = 8
warmup_epochs = 2
meta_steps = 8
batch_size = 2
crop_size = (48, 64)
task_size = (72, 96)
alpha = 1.0
lr = 1e-3
loss_lr = 3e-3
inner_lr = 1e-2
seed = 0

model = dict(
    type="metaloss.MetaLossModel",
    fusion=dict(type="metaloss.FusionNetwork", name="refusion"),
    loss=dict(type="metaloss.LearnableFusionLoss", gradient="learned", alpha=alpha, alpha_ramp=True),
    task=dict(type="metaloss.Task", name="reconstruction"),
    hypergradient="auto",
    inner_steps=1,
    inner_lr=inner_lr,
    outer_update="max_normalised_sgd",
    accumulate=2,
)
optim_wrapper = dict(
    constructor="metaloss.MetaLossOptimizers",
    fusion=dict(optimizer=dict(type="Adam", lr=lr)),
    task=dict(optimizer=dict(type="Adam", lr=lr)),
    loss=dict(optimizer=dict(type="SGD", lr=loss_lr)),
)
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=0,
    dataset=dict(
        type="metaloss.SyntheticScenes", length=train_scenes, size=image_size, seed=seed, split="train", target=None
    ),
)
val_dataloader = dict(
    batch_size=batch_size,
    num_workers=0,
    dataset=dict(
        type="metaloss.SyntheticScenes", length=val_scenes, size=image_size, seed=seed, split="val", target=None
    ),
)
train_cfg = dict(
    type="metaloss.MetaLossTrainLoop",
    max_epochs=max_epochs,
    warmup_epochs=warmup_epochs,
    meta_steps=meta_steps,
    fusion_crop=crop_size,
    task_size=task_size,
    val_interval=1000,  # at the end alone
)
val_cfg = dict(type="metaloss.MetaLossValLoop", task_size=task_size)
randomness = dict(seed=seed)

settings = dict(
    train_scenes="train_dataloader.dataset.length",
    val_scenes="val_dataloader.dataset.length",
    image_size=["train_dataloader.dataset.size", "val_dataloader.dataset.size"],
    max_epochs="train_cfg.max_epochs",
    warmup_epochs="train_cfg.warmup_epochs",
    meta_steps="train_cfg.meta_steps",
    batch_size=["train_dataloader.batch_size", "val_dataloader.batch_size"],
    crop_size="train_cfg.fusion_crop",
    task_size=["train_cfg.task_size", "val_cfg.task_size"],
    alpha="model.loss.alpha",
    lr=["optim_wrapper.fusion.optimizer.lr", "optim_wrapper.task.optimizer.lr"],
    loss_lr="optim_wrapper.loss.optimizer.lr",
    inner_lr="model.inner_lr",
    seed=["randomness.seed", "train_dataloader.dataset.seed", "val_dataloader.dataset.seed"],
)
