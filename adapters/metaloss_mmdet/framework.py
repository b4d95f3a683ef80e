"""What the adapter uses of MMDetection, imported in silence: on import it prints what it was built without."""

from metaloss_frameworks.quiet import quiet

with quiet():
    from mmdet.evaluation import CocoMetric
    from mmdet.registry import MODELS
    from mmdet.structures import DetDataSample
    from mmdet.utils import register_all_modules

__all__ = ["MODELS", "CocoMetric", "DetDataSample", "register_all_modules"]
