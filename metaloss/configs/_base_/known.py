# TDFusion on a published data set, as it unpacks or in plain folders. What builds on this names the data and the task.

_base_ = "./pairs.py"

target = "segmentation"
train_split = "train"
val_split = "test"

train_dataloader = dict(dataset=dict(type="metaloss.KnownDataset", target=target, split=train_split))
val_dataloader = dict(dataset=dict(type="metaloss.KnownDataset", target=target, split=val_split))
