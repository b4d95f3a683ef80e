"""TDFusion with YOLOv8-n on LLVIP: pedestrians in infrared and visible images of streets at night."""

_base_ = "../_base_/detection.py"

data_name = "llvip"
task_size = (256, 320)
classes = ("person",)

model = dict(task=dict(name="ultralytics", model="yolov8n.yaml"))
