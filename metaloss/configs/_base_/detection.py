# TDFusion with a detector on pairs in folders. What builds on this names the data, its classes and sizes, and the task.
import os

_base_ = "./runtime.py"

data_name = "msrs_det"
data_root = os.path.join(os.environ.get("METALOSS_DATA", "data"), data_name)
max_epochs = 50
warmup_epochs = 0
meta_steps = 200
batch_size = 2
crop_size = (256, 256)
task_size = (240, 320)
lr = 1e-4
inner_lr = lr
seed = 0
classes = ("person", "bicycle", "car")
num_classes = len(classes)

model = dict(
    type="metaloss.MetaLossModel",
    fusion=dict(type="metaloss.FusionNetwork", name="refusion"),
    loss=dict(type="metaloss.LearnableFusionLoss", alpha=1.0),
    task=dict(type="metaloss.Task", num_classes=num_classes, classes=classes),
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
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=0,
    dataset=dict(type="metaloss.PairedDataset", root=data_root, target="labels", split="train.txt", classes=classes),
)
val_dataloader = dict(
    batch_size=batch_size,
    num_workers=0,
    dataset=dict(type="metaloss.PairedDataset", root=data_root, target="labels", split="test.txt", classes=classes),
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
