"""TDFusion with YOLOX-tiny on LLVIP: pedestrians in infrared and visible images of streets at night."""

_base_ = "../_base_/llvip.py"

model = dict(task=dict(name="mmdet", config="mmdet::yolox/yolox_tiny_8xb8-300e_coco.py"))
