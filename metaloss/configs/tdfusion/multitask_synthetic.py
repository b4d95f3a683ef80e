"""TDFusion with two tasks at once, SegFormer-B0 and timm's ResNet-18 (weather), on procedural scenes."""

_base_ = "./segformer_synthetic.py"

# fixed ones, in a config that builds on it: model = dict(task=dict(weights=dict(_delete_=True, seg=1, weather=0.5)))
weights = "uncertainty"
targets = dict(seg="segmentation", weather="classification")
classes = ("background", "person", "sign", "car")
conditions = ("day", "night", "haze")

model = dict(
    task=dict(
        _delete_=True,
        type="metaloss.MultiTask",
        weights=weights,
        tasks=dict(
            seg=dict(
                type="metaloss.Task",
                name="mmseg",
                config="mmseg::segformer/segformer_mit-b0_8xb2-160k_ade20k-512x512.py",
                classes=classes,
            ),
            weather=dict(type="metaloss.Task", name="timm", model="resnet18", classes=conditions),
        ),
    )
)
train_dataloader = dict(dataset=dict(target=targets))
val_dataloader = dict(dataset=dict(target=targets))

settings = dict(
    weights="model.task.weights",
    targets=["train_dataloader.dataset.target", "val_dataloader.dataset.target"],
    classes="model.task.tasks.seg.classes",
    conditions="model.task.tasks.weather.classes",
)
