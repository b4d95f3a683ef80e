"""What the adapter uses of MMDetection, imported in silence: on import it prints what it was built without."""

from metaloss_frameworks.quiet import quiet

with quiet():
    from mmcv.ops import DeformConv2d, MaskedConv2d, ModulatedDeformConv2d
    from mmdet.evaluation import CocoMetric
    from mmdet.models.dense_heads import SSDHead
    from mmdet.models.detectors import RPN, KnowledgeDistillationSingleStageDetector, SemiBaseDetector, TwoStageDetector
    from mmdet.models.mot import BaseMOTModel
    from mmdet.models.reid import BaseReID
    from mmdet.registry import MODELS
    from mmdet.structures import DetDataSample
    from mmdet.utils import register_all_modules

__all__ = [
    "MODELS",
    "RPN",
    "BaseMOTModel",
    "BaseReID",
    "CocoMetric",
    "DeformConv2d",
    "DetDataSample",
    "KnowledgeDistillationSingleStageDetector",
    "MaskedConv2d",
    "ModulatedDeformConv2d",
    "SSDHead",
    "SemiBaseDetector",
    "TwoStageDetector",
    "register_all_modules",
]
