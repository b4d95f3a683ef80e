# TDFusion with a detector on pairs in folders with boxes. What builds on this names the data, its classes and the task.

_base_ = "./pairs.py"

target = "labels"

train_dataloader = dict(dataset=dict(target=target))
val_dataloader = dict(dataset=dict(target=target))
