# TDFusion with SegFormer-B0 on a published data set with label images. What builds on this names the data, its classes.

_base_ = "./known.py"

model = dict(task=dict(name="mmseg", config="mmseg::segformer/segformer_mit-b0_8xb2-160k_ade20k-512x512.py"))
