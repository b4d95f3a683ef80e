"""TDFusion with SegFormer-B0 on CWFID: crop and weed in near-infrared and red images of fields."""

import os

_base_ = "../_base_/runtime.py"

data_name = "cwfid_seg"
data_root = os.path.join(os.environ.get("METALOSS_DATA", "data"), data_name)
max_epochs = 50
warmup_epochs = 2
meta_steps = 50
batch_size = 2
crop_size = (192, 192)
task_size = (240, 320)
lr = 1e-4
seed = 0
classes = ("soil", "crop", "weed")
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
    inner_lr=lr,
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
    dataset=dict(type="metaloss.PairedDataset", root=data_root, split="train.txt", classes=classes),
)
val_dataloader = dict(
    batch_size=batch_size,
    num_workers=0,
    dataset=dict(type="metaloss.PairedDataset", root=data_root, split="test.txt", classes=classes),
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
