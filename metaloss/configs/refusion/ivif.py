"""ReFusion for infrared and visible images, from reconstruction: no labels."""

_base_ = "../_base_/refusion.py"

folder = "roadscene"
task_size = (240, 320)
