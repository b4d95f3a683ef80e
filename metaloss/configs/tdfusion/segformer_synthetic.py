"""TDFusion with SegFormer-B0 on procedural scenes: needs no download."""

_base_ = "../_base_/synthetic.py"

max_epochs = 10
warmup_epochs = 3
meta_steps = 8
crop_size = (48, 64)
task_size = (72, 96)
lr = 1e-3
loss_lr = 5e-4
inner_lr = 1e-2
classes = ("background", "person", "sign", "car")

model = dict(
    task=dict(
        name="mmseg",
        config="mmseg::segformer/segformer_mit-b0_8xb2-160k_ade20k-512x512.py",
        classes=classes,
    ),
    inner_lr=inner_lr,
)
optim_wrapper = dict(
    fusion=dict(optimizer=dict(lr=lr)), task=dict(optimizer=dict(lr=lr)), loss=dict(optimizer=dict(lr=loss_lr))
)
train_cfg = dict(
    max_epochs=max_epochs,
    warmup_epochs=warmup_epochs,
    meta_steps=meta_steps,
    fusion_crop=crop_size,
    task_size=task_size,
    val_interval=1000,  # at the end alone
)
val_cfg = dict(task_size=task_size)

settings = dict(
    max_epochs="train_cfg.max_epochs",
    lr=["optim_wrapper.fusion.optimizer.lr", "optim_wrapper.task.optimizer.lr"],
    loss_lr="optim_wrapper.loss.optimizer.lr",
)
