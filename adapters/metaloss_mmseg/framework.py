"""What the adapter uses of MMSegmentation, imported in silence: on import it prints what it was built without."""

from metaloss_frameworks.quiet import quiet

with quiet():
    from mmseg.evaluation import IoUMetric
    from mmseg.registry import MODELS
    from mmseg.structures import SegDataSample
    from mmseg.utils import register_all_modules

__all__ = ["MODELS", "IoUMetric", "SegDataSample", "register_all_modules"]
