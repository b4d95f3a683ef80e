"""What the adapter uses of ultralytics, imported so that nothing is left changed but the package itself.

On import ultralytics asks the network whether it is there, writes a settings file into the user's folder, and
sets printing, threads, warnings, the environment and ``torch.save`` for everyone.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import numpy as np
import torch
import torchvision  # noqa: F401 - ultralytics suppresses boxes with its operator where it is loaded already
from metaloss_frameworks.quiet import quiet
from torch._tensor_str import PRINT_OPTS

_QUIETLY = {"YOLO_OFFLINE": "true", "YOLO_VERBOSE": "false", "YOLO_AUTOINSTALL": "false"}


@contextmanager
def _nothing_left_changed() -> Iterator[None]:
    environment = dict(os.environ)
    printing = dict(vars(PRINT_OPTS))
    arrays, threads, save = np.get_printoptions(), cv2.getNumThreads(), torch.save
    with tempfile.TemporaryDirectory() as folder, quiet():
        try:
            os.environ.update(_QUIETLY)
            os.environ.setdefault("YOLO_CONFIG_DIR", folder)
            yield
        finally:
            for name in os.environ.keys() - environment.keys():
                del os.environ[name]
            os.environ.update(environment)
            vars(PRINT_OPTS).update(printing)
            np.set_printoptions(**arrays)
            cv2.setNumThreads(threads)
            torch.save = save


with _nothing_left_changed():
    import ultralytics
    from ultralytics.cfg import get_cfg
    from ultralytics.engine.results import Results
    from ultralytics.engine.validator import BaseValidator
    from ultralytics.nn.tasks import DetectionModel, RTDETRDetectionModel, yaml_model_load
    from ultralytics.utils import DEFAULT_CFG
    from ultralytics.utils.metrics import DetMetrics, box_iou
    from ultralytics.utils.nms import non_max_suppression

__all__ = [
    "DEFAULT_CFG",
    "BaseValidator",
    "DetMetrics",
    "DetectionModel",
    "RTDETRDetectionModel",
    "Results",
    "box_iou",
    "get_cfg",
    "non_max_suppression",
    "ultralytics",
    "yaml_model_load",
]
