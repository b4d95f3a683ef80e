"""TDFusion with SegFormer-B0 on MSRS: 1083 and 361 infrared and visible images of streets, 8 classes and background."""

import os

_base_ = "./segformer_cwfid.py"

data_root = os.path.join(os.environ.get("METALOSS_DATA", "data"), "msrs_seg")
max_epochs = 50
warmup_epochs = 0
meta_steps = 200
batch_size = 2
crop_size = (256, 256)
task_size = (240, 320)
lr = 1e-4
seed = 0
classes = ("unlabelled", "car", "person", "bike", "curve", "car stop", "guardrail", "colour cone", "bump")
num_classes = len(classes)

model = dict(task=dict(num_classes=num_classes, classes=classes))
train_dataloader = dict(
    batch_size=batch_size,
    dataset=dict(type="metaloss.PairedDataset", root=data_root, split="train.txt", classes=classes),
)
val_dataloader = dict(
    batch_size=batch_size,
    dataset=dict(type="metaloss.PairedDataset", root=data_root, split="test.txt", classes=classes),
)
