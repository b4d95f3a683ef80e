"""TDFusion with SegFormer-B0 on FMB: 1220 and 280 infrared and visible images of streets, 14 classes and background."""

_base_ = "./segformer_msrs.py"

data_name = "fmb"
task_size = (300, 400)
classes = (
    "unlabelled",
    "road",
    "sidewalk",
    "building",
    "traffic light",
    "traffic sign",
    "vegetation",
    "sky",
    "person",
    "car",
    "truck",
    "bus",
    "motorcycle",
    "bicycle",
    "pole",
)
