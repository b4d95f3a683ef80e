"""How the weights ``ivif`` that come with metaloss were trained: procedural scenes, nothing to download."""

_base_ = "./segformer_synthetic.py"

train_scenes = 160
image_size = (120, 160)
crop_size = (72, 96)
task_size = (120, 160)
max_epochs = 6
meta_steps = 40

model = dict(
    loss=dict(
        gradient="per_axis",  # the stronger edge of the sources: crisp also where no task looks
        generator=dict(outputs=("intensity",)),
    )
)
train_dataloader = dict(dataset=dict(length=train_scenes, size=image_size, varied=True))
val_dataloader = dict(dataset=dict(size=image_size, varied=True))
train_cfg = dict(max_epochs=max_epochs, meta_steps=meta_steps, fusion_crop=crop_size, task_size=task_size)
val_cfg = dict(task_size=task_size)
param_scheduler = dict(fusion=[], task=[], loss=[dict(type="PolyLR", power=2.0, eta_min=0.0, end=max_epochs)])
