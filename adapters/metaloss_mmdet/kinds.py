"""What a model of MMDetection learns from, told from its config: it may be more, or less, than boxes."""

from __future__ import annotations

from metaloss_frameworks.openmmlab.configs import parts
from mmengine.config import ConfigDict

from metaloss.errors import ConfigError
from metaloss_mmdet.framework import (
    MODELS,
    RPN,
    BaseMOTModel,
    BaseReID,
    KnowledgeDistillationSingleStageDetector,
    SemiBaseDetector,
    TwoStageDetector,
)

_MASKS = ("mask_head", "panoptic_head", "panoptic_fusion_head", "segm_head", "semantic_head")


def check_kind(name: str, model: ConfigDict, num_classes: int) -> None:
    """Checks that a model learns from boxes and their labels, and from nothing else.

    Args:
        name: of the config, for messages.
        model: the model part of the config.
        num_classes: kinds of object to tell apart.

    Raises:
        ConfigError: it does not; with what to give in its place.
    """
    reason = _reason(model, num_classes)
    if reason:
        raise ConfigError(f"{name}: its {model.get('type')} {reason}")


def _reason(model: ConfigDict, num_classes: int) -> str:
    kind = MODELS.get(str(model.get("type")))
    kind = kind if isinstance(kind, type) else object
    keys = {key for part in parts(model) for key, value in part.items() if value is not None}
    types = {str(part.get("type")) for part in parts(model)}
    if issubclass(kind, BaseMOTModel):
        return (
            "follows objects through videos, and a batch holds single images: give the config of its detector, or one "
            "whose model is the `detector` part of this one"
        )
    if issubclass(kind, BaseReID):
        return "learns which crops show the same object, and targets are boxes: give a box detector's config"
    if issubclass(kind, SemiBaseDetector):
        return (
            "learns from labelled and unlabelled images at once, and every image of a batch has boxes: give a config "
            "whose model is the `detector` part of this one"
        )
    if str(model.get("type")).endswith("Detectron2Wrapper"):
        return "is one of Detectron2's, with a preprocessing of its own: give the config of a detector of MMDetection"
    if issubclass(kind, KnowledgeDistillationSingleStageDetector):
        return (
            "learns from a trained teacher, which MMDetection neither saves nor moves with the network: give the "
            "config of the student alone"
        )
    if str(model.get("type")).endswith("CLRNet"):
        return "finds lanes, and targets are boxes: give a box detector's config"
    if "language_model" in keys:
        return "learns from texts besides boxes: give the config of a detector of images alone"
    if keys.intersection(_MASKS) or any("RTMDetIns" in each for each in types):
        return "learns from masks, and targets are boxes: give a box detector's config"
    if issubclass(kind, RPN):
        return "proposes boxes and does not tell what they show: give the config of a whole detector"
    if issubclass(kind, TwoStageDetector) and not model.get("rpn_head"):
        return (
            "learns from boxes that another network has proposed beforehand: give the config of a detector that "
            "proposes its own, Faster R-CNN say"
        )
    if "MultiInstanceBBoxHead" in types and num_classes != 1:
        return f"tells one class from the background, and num_classes={num_classes}: build it with num_classes=1"
    return ""
