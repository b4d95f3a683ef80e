"""ReFusion for multi-focus photographs, from reconstruction: no labels."""

_base_ = "../_base_/refusion.py"

folder = "multifocus"
sources = (("A", "B"),)
tiles = (3, 3)
crop_size = (96, 96)
