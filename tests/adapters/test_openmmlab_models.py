"""Models of MMDetection's and MMSegmentation's zoos: they work, or one sentence says what to give in their place."""

import socket

import pytest
import torch
from toys import learner

pytest.importorskip("metaloss_mmdet.framework")
pytest.importorskip("metaloss_mmseg.framework")

from mmengine.config import Config
from mmengine.logging import MessageHub

import metaloss
from metaloss.errors import ConfigError, DataError, ShapeError

RETINANET = "retinanet/retinanet_r18_fpn_1x_coco.py"


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    def refuse(*arguments):
        raise AssertionError(f"the network was opened: {arguments}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def detector(config, num_classes=3):
    torch.manual_seed(0)
    return metaloss.build_task(
        "mmdet", config=f"mmdet::{config}" if isinstance(config, str) else config, num_classes=num_classes
    )


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ("mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py", "MaskRCNN learns from masks"),
        ("rtmdet/rtmdet-ins_tiny_8xb32-300e_coco.py", "RTMDet learns from masks"),
        ("mask2former/mask2former_r50_8xb2-lsj-50e_coco.py", "Mask2Former learns from masks"),
        ("maskformer/maskformer_r50_ms-16xb1-75e_coco.py", "MaskFormer learns from masks"),
        ("solov2/solov2-light_r18_fpn_ms-3x_coco.py", "SOLOv2 learns from masks"),
        ("strong_baselines/mask-rcnn_r50_fpn_rpn-2conv_4conv1fc_syncbn-all_lsj-100e_coco.py", "learns from masks"),
        ("fast_rcnn/fast-rcnn_r50_fpn_1x_coco.py", "FastRCNN learns from boxes that another network has proposed"),
        ("libra_rcnn/libra-fast-rcnn_r50_fpn_1x_coco.py", "another network has proposed.*proposes its own"),
        ("rpn/rpn_r50_fpn_1x_coco.py", "RPN proposes boxes and does not tell what they show.*a whole detector"),
        ("guided_anchoring/ga-rpn_r50_fpn_1x_coco.py", "RPN proposes boxes"),
        ("cascade_rpn/cascade-rpn_r50-caffe_fpn_1x_coco.py", "RPN proposes boxes"),
        ("glip/glip_atss_swin-t_a_fpn_dyhead_pretrain_obj365.py", "GLIP learns from texts"),
        ("grounding_dino/grounding_dino_swin-t_finetune_16xb2_1x_coco.py", "GroundingDINO learns from texts"),
        (
            "bytetrack/bytetrack_yolox_x_8xb4-80e_crowdhuman-mot17halftrain_test-mot17halfval.py",
            "follows objects.*detector",
        ),
        (
            "masktrack_rcnn/masktrack-rcnn_mask-rcnn_r50_fpn_8xb1-12e_youtubevis2019.py",
            "follows objects through videos",
        ),
        ("reid/reid_r50_8xb32-6e_mot15train80_test-mot15val20.py", "which crops show the same object"),
        (
            "soft_teacher/soft-teacher_faster-rcnn_r50-caffe_fpn_180k_semi-0.1-coco.py",
            "unlabelled images.*`detector` part",
        ),
        ("crowddet/crowddet-rcnn_r50_fpn_8xb2-30e_crowdhuman.py", "build it with num_classes=1"),
        ("lad/lad_r50-paa-r101_fpn_2xb8_coco_1x.py", "LAD learns from a trained teacher"),
        ("ld/ld_r18-gflv1-r101_fpn_1x_coco.py", "learns from a trained teacher.*the student alone"),
        ("clrnet/clrnet.py", "finds lanes"),
        ("misc/d2_retinanet_r50-caffe_fpn_ms-90k_coco.py", "is one of Detectron2's"),
        ("convnext/mask-rcnn_convnext-t-p4-w7_fpn_amp-ms-crop-3x_coco.py", "mmpretrain"),
        ("timm_example/retinanet_timm-efficientnet-b1_fpn_1x_coco.py", "mmpretrain"),
    ],
)
def test_what_learns_from_more_or_less_than_boxes(config, reason):
    with pytest.raises(ConfigError, match=rf"config 'mmdet::{config[:4]}.*{reason}") as caught:
        detector(config)
    assert "\n" not in str(caught.value)
    assert "sys.path" not in str(caught.value)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ("vpd/vpd_sd_4xb8-25k_nyu-480x480.py", "DepthEstimator estimates depth"),
        ("san/san-vit-b16_coco-stuff164k-640x640.py", "matches images with texts by CLIP's weights"),
        ("convnext/convnext-tiny_upernet_8xb2-amp-160k_ade20k-512x512.py", "mmpretrain"),
    ],
)
def test_segmentation_models_that_need_more(config, reason):
    with pytest.raises(ConfigError, match=rf"config 'mmseg::{config[:3]}.*{reason}"):
        metaloss.build_task("mmseg", config=f"mmseg::{config}", num_classes=3)


def test_addresses_that_cannot_be_left_out():
    config = Config(
        {"model": {"type": "RetinaNet", "bbox_head": {"num_classes": 3, "embeddings": "https://x.org/e.pth"}}}
    )
    with pytest.raises(ConfigError, match=r"'embeddings' of a part in its model is 'https://x.org/e.pth'.*local copy"):
        detector(config)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("config", "num_classes"),
    [
        ("centernet/centernet_r18_8xb16-crop512-140e_coco.py", 3),
        ("tood/tood_r50_fpn_1x_coco.py", 3),
        ("pvt/retinanet_pvt-t_fpn_1x_coco.py", 3),
        ("ssd/ssdlite_mobilenetv2-scratch_8xb24-600e_coco.py", 3),
        ("crowddet/crowddet-rcnn_r50_fpn_8xb2-30e_crowdhuman.py", 1),
    ],
)
def test_models_that_ask_for_more_than_most(config, num_classes, boxes):
    targets = [{**each, "labels": each["labels"].clamp(max=num_classes - 1)} for each in boxes]
    sources = tuple(torch.rand(2, 1, 64, 96) for _ in range(2))
    batch = metaloss.FusionBatch(sources=sources, target=targets)
    task = detector(config, num_classes)
    values = learner(
        metaloss.build_fusion("refusion"), loss=metaloss.LearnableFusionLoss(), task=task, inner_lr=1e-3
    ).meta_step(batch, batch)
    assert all(value.isfinite() for value in values.values())
    for sample in task.predict(sources[0]):
        assert sample.pred_instances.bboxes.isfinite().all()
    assert "epoch" not in MessageHub.get_current_instance().runtime_info


def test_labels_that_are_no_classes(boxes):
    fused, wrong = torch.rand(2, 1, 64, 96), [{**boxes[0], "labels": torch.tensor([0, 3])}, boxes[1]]
    with pytest.raises(DataError, match=r"image 0 in the batch: label 3 is outside 0\.\.2 \(3 classes\)"):
        detector(RETINANET)(fused, wrong)
    segmentation = metaloss.build_task(
        "mmseg", config="mmseg::unet/unet-s5-d16_fcn_4xb4-40k_drive-64x64.py", num_classes=3
    )
    target = torch.full((2, 64, 96), 255)
    target[1, 3, 4] = 3
    with pytest.raises(DataError, match=r"image 1 in the batch: class id 3 is outside 0\.\.2 .* the ignored id 255"):
        segmentation(fused, target)


@pytest.mark.slow
def test_operators_that_the_cpu_lacks_are_named(boxes):
    with pytest.raises(
        ConfigError, match="cannot give a loss on cpu, for which mmcv has no carafe_forward: run it on a GPU"
    ):
        detector("carafe/faster-rcnn_r50_fpn-carafe_1x_coco.py")(torch.rand(2, 1, 64, 96), boxes)


@pytest.mark.slow
def test_images_that_are_too_small_are_named_with_the_models_own_size(boxes):
    with pytest.raises(
        ShapeError, match=r"config 'mmdet::ssd/ssd300_coco.py' cannot .* 64x96 pixels; it was made for 300x300"
    ):
        detector("ssd/ssd300_coco.py")(torch.rand(2, 1, 64, 96), boxes)


def test_an_epoch_that_a_loop_has_told_is_kept(boxes):
    from metaloss_mmdet.completion import known_epoch

    hub = MessageHub.get_current_instance()
    with known_epoch():
        assert hub.get_info("epoch") == 0
    assert "epoch" not in hub.runtime_info
    hub.update_info("epoch", 7)
    try:
        with known_epoch():
            assert hub.get_info("epoch") == 7
        assert hub.get_info("epoch") == 7
    finally:
        hub.runtime_info.pop("epoch")
