"""TDFusion with two tasks at once, SegFormer-B0 and timm's ResNet-18 (weather), on procedural scenes."""

_base_ = "./segformer_synthetic.py"

train_scenes = 36
val_scenes = 12
image_size = (72, 96)
seed = 0
# fixed ones, in a config that builds on it: model = dict(task=dict(weights=dict(_delete_=True, seg=1, weather=0.5)))
weights = "uncertainty"
targets = dict(seg="segmentation", weather="classification")
classes = ("background", "person", "sign", "car")
num_classes = len(classes)
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
                num_classes=num_classes,
                classes=classes,
            ),
            weather=dict(
                type="metaloss.Task",
                name="timm",
                model="resnet18",
                num_classes=len(conditions),
                classes=conditions,
            ),
        ),
    )
)
train_dataloader = dict(
    dataset=dict(type="metaloss.SyntheticScenes", length=train_scenes, size=image_size, seed=seed, target=targets)
)
val_dataloader = dict(
    dataset=dict(type="metaloss.SyntheticScenes", length=val_scenes, size=image_size, seed=seed + 1, target=targets)
)
