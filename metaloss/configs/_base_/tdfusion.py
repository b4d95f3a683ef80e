# TDFusion with the settings of its paper and published code. What builds on this names the task, classes and the data.

_base_ = "./runtime.py"

max_epochs = 50
warmup_epochs = 0
meta_steps = 200
batch_size = 2
crop_size = (256, 256)
task_size = (240, 320)
lr = 1e-4
inner_lr = 1e-4
seed = 0

model = dict(
    type="metaloss.MetaLossModel",
    fusion=dict(type="metaloss.FusionNetwork", name="refusion"),
    loss=dict(type="metaloss.LearnableFusionLoss", alpha=1.0),
    task=dict(type="metaloss.Task"),
    hypergradient="auto",
    inner_steps=1,
    inner_lr=inner_lr,
)
optim_wrapper = dict(
    constructor="metaloss.MetaLossOptimizers",
    fusion=dict(optimizer=dict(type="Adam", lr=lr)),
    task=dict(optimizer=dict(type="Adam", lr=lr)),
    loss=dict(optimizer=dict(type="Adam", lr=lr)),
)
train_dataloader = dict(batch_size=batch_size, num_workers=0)
val_dataloader = dict(batch_size=batch_size, num_workers=0)
train_cfg = dict(
    type="metaloss.MetaLossTrainLoop",
    max_epochs=max_epochs,
    warmup_epochs=warmup_epochs,
    meta_steps=meta_steps,
    fusion_crop=crop_size,
    task_size=task_size,
)
val_cfg = dict(type="metaloss.MetaLossValLoop", task_size=task_size)
randomness = dict(seed=seed)

# where each setting acts: `--cfg-options lr=1e-3` is set in all of its places
settings = dict(
    max_epochs="train_cfg.max_epochs",
    warmup_epochs="train_cfg.warmup_epochs",
    meta_steps="train_cfg.meta_steps",
    batch_size=["train_dataloader.batch_size", "val_dataloader.batch_size"],
    crop_size="train_cfg.fusion_crop",
    task_size=["train_cfg.task_size", "val_cfg.task_size"],
    lr=[
        "optim_wrapper.fusion.optimizer.lr",
        "optim_wrapper.task.optimizer.lr",
        "optim_wrapper.loss.optimizer.lr",
    ],
    inner_lr="model.inner_lr",
    seed="randomness.seed",
)
