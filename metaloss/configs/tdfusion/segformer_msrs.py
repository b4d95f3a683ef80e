"""TDFusion with SegFormer-B0 on MSRS: 1083 and 361 infrared and visible images of streets, 8 classes and background."""

_base_ = "./segformer_cwfid.py"

data_name = "msrs_seg"
warmup_epochs = 0
meta_steps = 200
crop_size = (256, 256)
task_size = (240, 320)
classes = ("unlabelled", "car", "person", "bike", "curve", "car stop", "guardrail", "colour cone", "bump")
