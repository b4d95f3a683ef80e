"""TDFusion with YOLOv8-n on procedural scenes: needs no download."""

_base_ = "../_base_/detection_synthetic.py"

model = dict(task=dict(name="ultralytics", model="yolov8n.yaml"))
