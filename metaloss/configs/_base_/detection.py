# TDFusion with a detector on a published data set with boxes. What builds on this names the data, classes and task.

_base_ = "./known.py"

target = "detection"

train_dataloader = dict(dataset=dict(target=target))
val_dataloader = dict(dataset=dict(target=target))
