"""TDFusion with YOLOX-tiny on M3FD: six kinds of object in infrared and visible images of roads."""

_base_ = "../_base_/detection.py"

data_name = "m3fd"
task_size = (192, 256)
classes = ("People", "Car", "Bus", "Lamp", "Motorcycle", "Truck")

model = dict(task=dict(name="mmdet", config="mmdet::yolox/yolox_tiny_8xb8-300e_coco.py"))
