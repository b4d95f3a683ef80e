"""ReFusion for multi-exposure photographs, from reconstruction: no labels."""

_base_ = "../_base_/refusion.py"

folder = "multiexposure"
sources = (("A", "B"),)
tiles = (3, 3)
crop_size = (96, 96)
