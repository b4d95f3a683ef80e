# TDFusion on pairs in folders with labels. What builds on this names the task, its classes and the data.

_base_ = "./tdfusion.py"

sources = ("ir", "vi")
target = "label"
train_split = "train.txt"
val_split = "test.txt"
ignore = (255,)
range = "full"  # which of the files' numbers become 0 and 1, see docs/configs.md

train_dataloader = dict(
    dataset=dict(
        type="metaloss.PairedDataset", sources=sources, target=target, split=train_split, ignore=ignore, range=range
    )
)
val_dataloader = dict(
    dataset=dict(
        type="metaloss.PairedDataset", sources=sources, target=target, split=val_split, ignore=ignore, range=range
    )
)

settings = dict(
    data_root=["train_dataloader.dataset.root", "val_dataloader.dataset.root"],
    sources=["train_dataloader.dataset.sources", "val_dataloader.dataset.sources"],
    target=["train_dataloader.dataset.target", "val_dataloader.dataset.target"],
    train_split="train_dataloader.dataset.split",
    val_split="val_dataloader.dataset.split",
    classes=["train_dataloader.dataset.classes", "val_dataloader.dataset.classes", "model.task.classes"],
    ignore=["train_dataloader.dataset.ignore", "val_dataloader.dataset.ignore"],
    range=["train_dataloader.dataset.range", "val_dataloader.dataset.range"],
)
