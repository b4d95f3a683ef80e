"""A published fusion network goes on learning, by the recommended training with YOLOv8-n on MSRS; see docs/peers.md."""

_base_ = "./yolov8_msrs.py"

network = ""  # its name and the file that its authors publish, or several files of its parts: both have to be given
weights = ""
lr = 1e-4
fusion_lr = 1e-4

train_cfg = dict(exchange=False)  # the sources keep their places: it may learn which one to follow
model = dict(fusion=dict(_delete_=True, type="metaloss.FusionNetwork", name=network, weights=weights))
optim_wrapper = dict(
    fusion=dict(optimizer=dict(lr=fusion_lr)), task=dict(optimizer=dict(lr=lr)), loss=dict(optimizer=dict(lr=lr))
)

settings = dict(
    network="model.fusion.name",
    weights="model.fusion.weights",
    lr=["optim_wrapper.task.optimizer.lr", "optim_wrapper.loss.optimizer.lr"],
    fusion_lr="optim_wrapper.fusion.optimizer.lr",
)
