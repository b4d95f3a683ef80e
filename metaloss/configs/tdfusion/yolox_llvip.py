"""TDFusion with YOLOX-tiny on LLVIP: pedestrians in infrared and visible images of streets at night."""

_base_ = "../_base_/detection.py"

data_name = "llvip"
task_size = (256, 320)
classes = ("person",)

model = dict(task=dict(name="mmdet", config="mmdet::yolox/yolox_tiny_8xb8-300e_coco.py"))
