# TDFusion on procedural scenes. What builds on this names the task, its classes, sizes and how long it trains.

_base_ = "./tdfusion.py"

train_scenes = 36
val_scenes = 12
image_size = (72, 96)
seed = 0

train_dataloader = dict(
    dataset=dict(type="metaloss.SyntheticScenes", length=train_scenes, size=image_size, seed=seed, split="train")
)
val_dataloader = dict(
    dataset=dict(type="metaloss.SyntheticScenes", length=val_scenes, size=image_size, seed=seed, split="val")
)

settings = dict(
    train_scenes="train_dataloader.dataset.length",
    val_scenes="val_dataloader.dataset.length",
    image_size=["train_dataloader.dataset.size", "val_dataloader.dataset.size"],
    classes="model.task.classes",
    seed=["randomness.seed", "train_dataloader.dataset.seed", "val_dataloader.dataset.seed"],
)
