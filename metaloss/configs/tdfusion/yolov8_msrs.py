"""TDFusion with YOLOv8-n on MSRS: people, bicycles and cars in infrared and visible images of streets."""

_base_ = "../_base_/msrs_det.py"

model = dict(task=dict(name="ultralytics", model="yolov8n.yaml"))
