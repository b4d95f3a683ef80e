"""TDFusion with YOLOX-tiny on MSRS: people, bicycles and cars in infrared and visible images of streets."""

_base_ = "../_base_/msrs_det.py"

model = dict(task=dict(name="mmdet", config="mmdet::yolox/yolox_tiny_8xb8-300e_coco.py"))
