"""What trainings leave in their folders, written by hand."""

import numpy as np
from PIL import Image

CONFIG = """
batch_size = 2
max_epochs = {epochs}
lr = {lr}
classes = ('background', 'person')
model = dict(
    loss=dict(alpha=1.0, type='metaloss.LearnableFusionLoss'),
    type='metaloss.MetaLossModel')
train_cfg = dict(max_epochs={epochs}, schedule='interleaved')
settings = dict(batch_size=['train_dataloader.batch_size'], lr='optim.lr', max_epochs='train_cfg.max_epochs')
optim = dict(lr={lr})
train_dataloader = dict(batch_size=2, num_workers=0)
custom_hooks = [dict(type='metaloss.PicturesHook'), dict(type='metaloss.SpreadHook')]
work_dir = '{folder}'
"""


def validation(epoch, **more):
    """The lines that a validation leaves: person goes to infrared."""
    ir = 0.5 + 0.1 * epoch
    spread = {"epoch/val/spread/ir": 0.2, "epoch/val/spread/vi": 0.2}
    spread |= {f"epoch/val/spread/{source}/on/person": 0.05 * epoch for source in ("ir", "vi")}
    weights = {"weight_0": ir, "weight_1": 1 - ir, "entropy": 0.9}
    for source, value in (("ir", ir), ("vi", 1 - ir)):
        weights |= {f"weight/{source}/on/person": value, f"weight/{source}/off/person": 0.5}
    scores = {"mIoU": 10.0 * epoch, "task_loss": 1.0 / (1 + epoch), "fusion/EN": 6.0 + epoch, **weights, **more}
    return [{**spread, "step": epoch}, {**scores, "data_time": 0.1, "time": 1.0, "step": epoch}]


def trained(epoch):
    """The lines of an epoch's steps and phases."""
    step = {"fusion/loss": 1.0 / epoch, "meta/outer_loss": 0.5 / epoch, "lr": 1e-3, "time": 1.0, "epoch": epoch}
    return [
        {**step, "iter": 10 * epoch, "step": 10 * epoch},
        {"epoch/meta/outer_loss": 0.5 / epoch, "step": epoch},
        {"epoch/fusion/loss": 1.0 / epoch, "epoch/fusion/weight_0": 0.5, "step": epoch},
    ]


def draw_strip(path, epoch, size=(12, 16), panels=5):
    """A strip whose panels have each a grey of their own; fused image and maps change with the epoch."""
    height, width = size
    greys = [20, 60, 100 + 10 * epoch, 150 + 10 * epoch, 200 - 10 * epoch][:panels]
    row = np.concatenate([np.full((height, width, 3), grey, np.uint8) for grey in greys], axis=1)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(row).save(path)
