"""ReFusion for medical images (MRI with CT, PET and SPECT), from reconstruction: no labels."""

_base_ = "../_base_/refusion.py"

folder = "medical"
sources = (("MRI_CT/CT", "MRI_CT/MRI"), ("MRI_PET/PET", "MRI_PET/MRI"), ("MRI_SPECT/SPECT", "MRI_SPECT/MRI"))
