# ReFusion with its published settings. What builds on this names its data and, where they differ, the sources.

_base_ = "./runtime.py"

sources = (("ir", "vi"),)  # the sources that belong together; several such tuples train one network
train_split = "[:80%]"  # of the names in order; or a list, train.txt; or train and test, as the data set has them
val_split = "[80%:]"
range = "full"  # which of the files' numbers become 0 and 1, see docs/configs.md
tiles = (1, 1)  # rows and columns that each training image is cut into
max_epochs = 50
warmup_epochs = 0
meta_steps = 600
batch_size = 2
crop_size = (128, 128)
task_size = (256, 256)
alpha = 1.0
lr = 1e-4
inner_lr = "optimizer"
lr_step = 10  # epochs from one division of all rates by 10 to the next
seed = 0

model = dict(
    type="metaloss.MetaLossModel",
    fusion=dict(type="metaloss.FusionNetwork", name="refusion", sources=sources),
    loss=dict(
        type="metaloss.LearnableFusionLoss",
        generator=dict(type="metaloss.LossGenerator", sources=sources, outputs=("intensity", "gradient")),
        gradient="learned",
        alpha=alpha,
        alpha_ramp=True,
    ),
    task=dict(type="metaloss.Task", name="reconstruction", sources=sources),
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
    loss=dict(optimizer=dict(type="SGD", lr=lr)),
)
param_scheduler = dict(type="StepLR", step_size=lr_step, gamma=0.1)
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=0,
    dataset=dict(
        type="metaloss.Tiles",
        grid=tiles,
        dataset=dict(type="metaloss.KnownDataset", sources=sources, target=None, split=train_split, range=range),
    ),
)
val_dataloader = dict(
    batch_size=batch_size,
    num_workers=0,
    dataset=dict(type="metaloss.KnownDataset", sources=sources, target=None, split=val_split, range=range),
)
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

# where each setting acts; networks count the sources that they are given
settings = dict(
    data_root=["train_dataloader.dataset.dataset.root", "val_dataloader.dataset.root"],
    sources=[
        "train_dataloader.dataset.dataset.sources",
        "val_dataloader.dataset.sources",
        "model.fusion.sources",
        "model.loss.generator.sources",
        "model.task.sources",
    ],
    train_split="train_dataloader.dataset.dataset.split",
    val_split="val_dataloader.dataset.split",
    range=["train_dataloader.dataset.dataset.range", "val_dataloader.dataset.range"],
    tiles="train_dataloader.dataset.grid",
    max_epochs="train_cfg.max_epochs",
    warmup_epochs="train_cfg.warmup_epochs",
    meta_steps="train_cfg.meta_steps",
    batch_size=["train_dataloader.batch_size", "val_dataloader.batch_size"],
    crop_size="train_cfg.fusion_crop",
    task_size=["train_cfg.task_size", "val_cfg.task_size"],
    alpha="model.loss.alpha",
    lr=[
        "optim_wrapper.fusion.optimizer.lr",
        "optim_wrapper.task.optimizer.lr",
        "optim_wrapper.loss.optimizer.lr",
    ],
    inner_lr="model.inner_lr",
    lr_step="param_scheduler.step_size",
    seed="randomness.seed",
)
