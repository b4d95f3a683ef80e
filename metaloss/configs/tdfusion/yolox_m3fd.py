"""TDFusion with YOLOX-tiny on M3FD: six kinds of object in infrared and visible images of roads."""

_base_ = "../_base_/m3fd.py"

model = dict(task=dict(name="mmdet", config="mmdet::yolox/yolox_tiny_8xb8-300e_coco.py"))
