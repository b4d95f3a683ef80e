"""What the adapter uses of MMSegmentation, imported in silence: on import it prints what it was built without."""

from importlib import import_module

from metaloss_frameworks.quiet import quiet

from metaloss_mmseg.operators import importable_without_operators

with quiet(), importable_without_operators():
    from mmseg.evaluation import IoUMetric
    from mmseg.registry import MODELS
    from mmseg.structures import SegDataSample
    from mmseg.utils import register_all_modules

    import_module("mmseg.models")  # now, while it can be: it would be at the first use

__all__ = ["MODELS", "IoUMetric", "SegDataSample", "register_all_modules"]
