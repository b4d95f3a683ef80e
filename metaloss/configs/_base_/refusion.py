# ReFusion with its published settings. A config that builds on this names its folder and sources; all settings up to
# the first dict can be overridden there, or by --cfg-options.
import os

_base_ = "runtime.py"

folder = "roadscene"
data_root = os.path.join(os.environ.get("METALOSS_DATA", "data"), folder)
sources = (("ir", "vi"),)  # folders of the sources that belong together; several such tuples train one network
train_split = "[:80%]"  # of the stems in order; or a list: train.txt
val_split = "[80%:]"
tiles = (1, 1)  # rows and columns that each training image is cut into
max_epochs = 50
warmup_epochs = 0
meta_steps = 600
batch_size = 2
crop_size = (128, 128)
task_size = (256, 256)
alpha = 1.0
lr = 1e-4
lr_step = 10  # epochs from one division of all rates by 10 to the next
seed = 0
num_sources = len(sources[0])

model = dict(
    type="metaloss.MetaLossModel",
    fusion=dict(type="metaloss.FusionNetwork", name="refusion", sources=num_sources),
    loss=dict(
        type="metaloss.LearnableFusionLoss",
        generator=dict(type="metaloss.LossGenerator", sources=num_sources, outputs=("intensity", "gradient")),
        gradient="learned",
        alpha=alpha,
        alpha_ramp=True,
    ),
    task=dict(type="metaloss.Task", name="reconstruction", sources=num_sources),
    hypergradient="auto",
    inner_steps=1,
    inner_lr="optimizer",
    outer_update="max_normalised_sgd",
    accumulate=2,
)
optim_wrapper = dict(
    constructor="metaloss.MetaLossOptimizers",
    fusion=dict(optimizer=dict(type="Adam", lr=lr)),
    task=dict(optimizer=dict(type="Adam", lr=lr)),
    loss=dict(optimizer=dict(type="SGD", lr=lr)),
)
param_scheduler = dict(type="StepLR", step_size=lr_step, gamma=0.1)
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=0,
    dataset=dict(
        type="metaloss.Tiles",
        grid=tiles,
        dataset=dict(
            type="metaloss.Joined",
            datasets=[
                dict(type="metaloss.PairedDataset", root=data_root, sources=names, target=None, split=train_split)
                for names in sources
            ],
        ),
    ),
)
val_dataloader = dict(
    batch_size=batch_size,
    num_workers=0,
    dataset=dict(
        type="metaloss.Joined",
        datasets=[
            dict(type="metaloss.PairedDataset", root=data_root, sources=names, target=None, split=val_split)
            for names in sources
        ],
    ),
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
