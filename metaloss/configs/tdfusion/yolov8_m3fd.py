"""TDFusion with YOLOv8-n on M3FD: six kinds of object in infrared and visible images of roads."""

_base_ = "../_base_/m3fd.py"

model = dict(task=dict(name="ultralytics", model="yolov8n.yaml"))
