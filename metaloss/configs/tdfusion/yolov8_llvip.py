"""TDFusion with YOLOv8-n on LLVIP: pedestrians in infrared and visible images of streets at night."""

_base_ = "../_base_/llvip.py"

model = dict(task=dict(name="ultralytics", model="yolov8n.yaml"))
