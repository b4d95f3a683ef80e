"""TDFusion with YOLOX-tiny on procedural scenes: needs no download."""

_base_ = "../_base_/detection_synthetic.py"

model = dict(task=dict(name="mmdet", config="mmdet::yolox/yolox_tiny_8xb8-300e_coco.py"))
