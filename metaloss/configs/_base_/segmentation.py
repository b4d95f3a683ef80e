# TDFusion with SegFormer-B0 on pairs in folders with label images. What builds on this names the data and its classes.

_base_ = "./pairs.py"

model = dict(task=dict(name="mmseg", config="mmseg::segformer/segformer_mit-b0_8xb2-160k_ade20k-512x512.py"))
