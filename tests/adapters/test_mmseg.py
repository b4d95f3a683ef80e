"""MMSegmentation as a task: the framework itself, no stand-ins."""

import importlib.metadata
import importlib.util

import numpy as np
import pytest
import torch

import metaloss
from metaloss.data import PairedDataset
from metaloss.errors import CheckpointError, ConfigError, ShapeError
from metaloss.runtime import files
from metaloss.tasks import task_loss

pytest.importorskip("mmseg")
pytestmark = [
    pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:When align_corners=True, the output would more aligned:UserWarning"),
]
NAME = "segformer/segformer_mit-b0_8xb2-160k_ade20k-512x512.py"
SEGFORMER = f"mmseg::{NAME}"
DEEPLAB = "mmseg::deeplabv3plus/deeplabv3plus_r18-d8_4xb2-80k_cityscapes-512x1024.py"
BISENET = "mmseg::bisenetv1/bisenetv1_r18-d32_4xb4-160k_cityscapes-1024x1024.py"
CGNET = "mmseg::cgnet/cgnet_fcn_4xb8-60k_cityscapes-512x1024.py"
UPERNET = "mmseg::swin/swin-tiny-patch4-window7-in1k-pre_upernet_8xb2-160k_ade20k-512x512.py"
STDC = "mmseg::stdc/stdc1_4xb12-80k_cityscapes-512x1024.py"
POINTREND = "mmseg::point_rend/pointrend_r50_4xb2-80k_cityscapes-512x1024.py"
MASKFORMER = "mmseg::maskformer/maskformer_r50-d32_8xb2-160k_ade20k-512x512.py"
KNET = "mmseg::knet/knet-s3_swin-t_upernet_8xb2-adamw-80k_ade20k-512x512.py"
PIDNET = "mmseg::pidnet/pidnet-s_2xb6-120k_1024x1024-cityscapes.py"
with_mmdet = pytest.mark.skipif(importlib.util.find_spec("mmdet") is None, reason="a part of MMDetection is in it")
# attention in windows; a head with a loss on outlines; one on points that it draws; one on matched masks
NETWORKS = [UPERNET, STDC, POINTREND, pytest.param(MASKFORMER, marks=with_mmdet)]


def build(config=SEGFORMER, num_classes=3, **options):
    torch.manual_seed(0)
    return metaloss.build_task("mmseg", config=config, num_classes=num_classes, **options)


@pytest.fixture(scope="module")
def shared():
    """One SegFormer for the tests that leave it as it is; no dropout, no drop path."""
    return build().eval()


def small(config):
    """The network of this name; UPerNet's head, larger than all of Swin-T, with fewer channels."""
    from metaloss_mmseg.configs import load_config

    loaded = load_config(config)
    if config == UPERNET:
        loaded.model.decode_head.channels = loaded.model.auxiliary_head.channels = 32
    return loaded


def folder():
    from metaloss_mmseg.configs import MMSEG

    return MMSEG.configs


def state(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.slow
def test_by_name_by_file_and_by_config(shared):
    from mmengine.config import Config

    expected = state(shared)
    assert same(state(build(SEGFORMER.removesuffix(".py"))), expected)
    assert same(state(build(folder() / NAME)), expected)
    assert same(state(build(str(folder() / NAME))), expected)
    config = Config.fromfile(folder() / NAME)
    before = config.pretty_text
    assert same(state(build(config)), expected)
    assert config.pretty_text == before
    assert type(shared.segmentor.backbone).__name__ == "MixVisionTransformer"


def test_no_parameter_has_a_line_in_the_log(tmp_path):
    from mmengine.logging import MMLogger

    logger = MMLogger.get_instance("a training", log_file=str(tmp_path / "log"))  # the current one, from now on
    try:
        build()
        logger.info("built")
        [line] = (tmp_path / "log").read_text().splitlines()
        assert line.endswith("built")
    finally:
        for handler in MMLogger._instance_dict.pop("a training").handlers:
            handler.close()


def test_misspelt_names():
    with pytest.raises(ConfigError, match=rf"did you mean '{NAME}'"):
        build(SEGFORMER.replace("512x512", "512x51"))
    with pytest.raises(ConfigError, match=r"config 'absent\.py': no such file"):
        build("absent.py")


def test_a_config_without_a_model(tmp_path):
    (tmp_path / "mine.py").write_text("lr = 1")
    with pytest.raises(ConfigError, match="defines no `model`"):
        build(tmp_path / "mine.py")


def own_packages():
    """Whether these are OpenMMLab's own packages: MMEngine finds their configs, and there is nothing to refuse."""
    try:
        return bool(importlib.metadata.version("mmsegmentation"))
    except importlib.metadata.PackageNotFoundError:
        return False


@pytest.mark.skipif(own_packages(), reason="no other distribution is needed: see tests/openmmlab")
def test_a_users_config_that_would_need_another_distribution(tmp_path, no_processes, shared):
    (tmp_path / "base.py").write_text(f"_base_ = '{SEGFORMER}'\n")
    (tmp_path / "mine.py").write_text("_base_ = './base.py'\n")
    for name in ("base.py", "mine.py"):
        with pytest.raises(ConfigError, match=r"mine\.py|base\.py") as error:
            build(tmp_path / name)
        assert "needs a distribution named mmsegmentation" in str(error.value)
        assert f"write the path instead, {folder()}" in str(error.value)
    (tmp_path / "base.py").write_text(f"_base_ = '{folder() / NAME}'\n")
    assert same(state(build(tmp_path / "mine.py")), state(shared))


@pytest.mark.parametrize("config", [SEGFORMER, DEEPLAB, BISENET, CGNET])
def test_the_number_of_classes_reaches_every_head(config):
    task = build(config, num_classes=5)
    auxiliary = getattr(task.segmentor, "auxiliary_head", None) or []
    several = isinstance(auxiliary, (list, torch.nn.ModuleList))
    heads = [task.segmentor.decode_head, *(auxiliary if several else [auxiliary])]
    assert len(heads) == {SEGFORMER: 1, DEEPLAB: 2, BISENET: 3, CGNET: 1}[config]
    for head in heads:
        assert head.num_classes == head.out_channels == head.conv_seg.out_channels == 5
    losses = task(torch.rand(2, 1, 64, 64), torch.randint(5, (2, 64, 64)))
    assert sum("loss" in name for name in losses) == len(heads)
    total = task_loss(task, torch.rand(2, 1, 64, 64), torch.randint(5, (2, 64, 64)))
    assert total.ndim == 0
    assert total.isfinite()
    assert task.predict(torch.rand(1, 1, 64, 64))[0].seg_logits.data.shape == (5, 64, 64)


def test_nothing_is_downloaded(no_processes, monkeypatch):
    import socket

    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("the network was used"))
    assert build(DEEPLAB).segmentor.training


def test_settings_that_cannot_be():
    with pytest.raises(ConfigError, match="num_classes=1: segmentation tells at least two classes apart"):
        build(num_classes=1)
    with pytest.raises(ConfigError, match="2 class names given for num_classes=3"):
        build(classes=("a", "b"))


def frameworks_own(task, images, ids):
    """MMSegmentation's preprocessing of 8-bit images, and its loss; what its own trainer does."""
    from mmengine.structures import PixelData
    from mmseg.structures import SegDataSample

    samples = [SegDataSample(gt_sem_seg=PixelData(data=label.unsqueeze(0))) for label in ids]
    data = {"inputs": [torch.from_numpy(image) for image in images], "data_samples": samples}
    data = task.segmentor.data_preprocessor(data, training=True)
    return data["inputs"], task.segmentor(data["inputs"], data["data_samples"], mode="loss")


@pytest.mark.parametrize("conversion", [True, False])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(64, 96), (61, 93)])
def test_input_and_loss_are_the_frameworks_own(size, channels, conversion):
    from mmengine.config import Config

    config = Config.fromfile(folder() / NAME)
    config.model.data_preprocessor.update(size=None, size_divisor=32, pad_val=7, bgr_to_rgb=conversion)
    task = build(config).eval()
    noise = np.random.default_rng(0)
    bgr = noise.integers(0, 256, (2, channels, *size), dtype=np.uint8)
    ids = torch.from_numpy(noise.integers(0, 3, (2, *size)))
    ids[:, :20, :20] = 255
    images = bgr if channels == 3 else np.broadcast_to(bgr, (2, 3, *size)).copy()
    inputs, expected = frameworks_own(task, images, ids)
    fused = torch.from_numpy(bgr[:, ::-1].copy()).float() / 255  # ours are red, green, blue
    assert torch.allclose(task._prepare(fused)[0], inputs, atol=1e-4)
    losses = task(fused, ids)
    assert losses.keys() == expected.keys()
    for name, value in losses.items():
        assert torch.allclose(value, torch.as_tensor(expected[name]).mean(), rtol=1e-5), name


def test_the_gradient_reaches_the_fused_image():
    torch.manual_seed(0)
    task = build().double().eval()
    fused = torch.rand(1, 1, 33, 47, dtype=torch.float64, requires_grad=True)
    ids = torch.randint(3, (1, 33, 47))
    ids[:, :9] = 255
    [gradient] = torch.autograd.grad(task_loss(task, fused, ids), fused)
    assert gradient.abs().max() > 0
    direction = torch.randn(fused.shape, dtype=torch.float64)
    step = 1e-6
    with torch.no_grad():
        ahead, behind = (task_loss(task, fused + sign * step * direction, ids) for sign in (1, -1))
    difference = (ahead - behind) / (2 * step)
    assert torch.allclose((gradient * direction).sum(), difference, rtol=1e-6)


@pytest.mark.parametrize("size", [(37, 53), (64, 65), (31, 31)])
@pytest.mark.parametrize("channels", [1, 3])
def test_predictions_have_the_images_size(shared, size, channels):
    shared.train()
    before = {name: module.training for name, module in shared.named_modules()}
    predictions = shared.predict(torch.rand(2, channels, *size))
    assert {name: module.training for name, module in shared.named_modules()} == before
    shared.eval()
    for prediction in predictions:
        assert prediction.pred_sem_seg.data.shape == (1, *size)
        assert prediction.seg_logits.data.shape == (3, *size)
        assert not prediction.seg_logits.data.requires_grad
        assert torch.equal(prediction.seg_logits.data.argmax(0), prediction.pred_sem_seg.data[0])


def test_ignored_pixels_count_for_nothing(shared):
    fused = torch.rand(1, 1, 64, 64)
    nothing = torch.full((1, 64, 64), 255)
    assert task_loss(shared, fused, nothing) == 0
    half = torch.randint(3, (1, 64, 64))
    half[:, 32:] = 255
    logits = shared.predict(fused)[0].seg_logits.data.unsqueeze(0)
    expected = torch.nn.functional.cross_entropy(logits, half, ignore_index=255, reduction="sum") / half.numel()
    assert torch.allclose(task_loss(shared, fused, half), expected, rtol=1e-4)


@pytest.mark.parametrize("target", [torch.zeros(1, 64, 63), torch.zeros(64, 64), torch.zeros(2, 64, 64), None])
def test_targets_that_do_not_fit(shared, target):
    with pytest.raises(ShapeError, match=r"expected class ids \(B, H, W\)"):
        shared(torch.rand(1, 1, 64, 64), target)


def test_the_evaluator_gives_the_known_numbers(shared):
    from mmengine.structures import PixelData
    from mmseg.structures import SegDataSample

    noise = np.random.default_rng(1)
    evaluator = shared.evaluator()
    everything = []
    for batch in (3, 2):
        predicted = noise.integers(0, 3, (batch, 20, 30))
        actual = np.where(noise.random((batch, 20, 30)) < 0.4, predicted, noise.integers(0, 3, (batch, 20, 30)))
        actual[:, :4] = 255
        everything.append((predicted, actual))
        samples = [SegDataSample(pred_sem_seg=PixelData(data=torch.from_numpy(image)[None])) for image in predicted]
        evaluator.update(samples, torch.from_numpy(actual))
    predicted, actual = (np.concatenate([pair[k].ravel() for pair in everything]) for k in (0, 1))
    predicted, actual = predicted[actual != 255], actual[actual != 255]
    both = np.array([((predicted == k) & (actual == k)).sum() for k in range(3)])
    either = np.array([((predicted == k) | (actual == k)).sum() for k in range(3)])
    truth = np.array([(actual == k).sum() for k in range(3)])
    assert evaluator.compute() == {
        "mIoU": pytest.approx(100 * (both / either).mean(), abs=0.006),
        "mAcc": pytest.approx(100 * (both / truth).mean(), abs=0.006),
        "aAcc": pytest.approx(100 * both.sum() / truth.sum(), abs=0.006),
    }


def test_weights_from_a_local_file(shared, tmp_path):
    from mmengine.logging import MessageHub

    hub = MessageHub.get_instance("test_mmseg")
    for value in (1.0, 0.5):
        hub.update_scalar("train/loss", value)
    content = {"meta": {"epoch": 3}, "state_dict": state(shared.segmentor), "message_hub": hub.state_dict()}
    torch.save(content, tmp_path / "whole.pth")  # as MMEngine's own trainer leaves it
    torch.manual_seed(7)
    task = metaloss.build_task("mmseg", config=SEGFORMER, num_classes=3, checkpoint=tmp_path / "whole.pth")
    assert same(state(task), state(shared))
    assert hub.get_scalar("train/loss").mean() == 0.75  # reading the file has changed nothing of the framework's
    with pytest.warns(UserWarning, match=r"whole\.pth: 2 entries stay as initialised, the first 'decode_head.conv_seg"):
        task = build(num_classes=4, checkpoint=tmp_path / "whole.pth")
    assert same(state(task.segmentor.backbone), state(shared.segmentor.backbone))
    torch.save(state(shared.segmentor.backbone), tmp_path / "backbone.pth")
    torch.manual_seed(7)
    with pytest.warns(UserWarning, match=r"backbone\.pth: \d+ entries stay as initialised, the first 'decode_head"):
        task = metaloss.build_task("mmseg", config=SEGFORMER, num_classes=3, checkpoint=tmp_path / "backbone.pth")
    assert same(state(task.segmentor.backbone), state(shared.segmentor.backbone))


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod."])
def test_weights_saved_from_a_wrapped_network(shared, tmp_path, prefix):
    whole = {name: value + 1 for name, value in state(shared.segmentor).items()}
    backbone = {name.removeprefix("backbone."): value for name, value in whole.items() if name.startswith("backbone.")}
    torch.save({"state_dict": {prefix + name: value for name, value in whole.items()}}, tmp_path / "whole.pth")
    torch.save({prefix + name: value for name, value in backbone.items()}, tmp_path / "backbone.pth")
    assert same(state(build(checkpoint=tmp_path / "whole.pth").segmentor), whole)
    with pytest.warns(UserWarning, match=r"backbone\.pth: \d+ entries stay as initialised, the first 'decode_head"):
        task = build(checkpoint=tmp_path / "backbone.pth")
    assert same(state(task.segmentor.backbone), backbone)


def test_foreign_weights_are_refused(tmp_path):
    files.save(tmp_path / "foreign.pth", {"state_dict": {"layer.weight": torch.ones(3)}})
    with pytest.raises(CheckpointError, match=r"foreign\.pth: holds no weights of EncoderDecoder with this backbone"):
        build(checkpoint=tmp_path / "foreign.pth")
    with pytest.raises(CheckpointError, match=r"absent\.pth: no such file"):
        build(checkpoint=tmp_path / "absent.pth")
    torch.save({"state_dict": {}, "code": pytest.approx}, tmp_path / "code.pth")
    with pytest.raises(CheckpointError, match=r"code\.pth: .*code, which is never run"):
        build(checkpoint=tmp_path / "code.pth")


@pytest.mark.slow
@pytest.mark.parametrize("config", NETWORKS)
def test_losses_and_gradients_of_other_networks(config, check_gradient):
    task = build(small(config)).eval()
    ids = torch.randint(3, (1, 64, 64))
    ids[:, :9] = 255
    for name, value in task(torch.rand(1, 1, 64, 64), ids).items():
        assert value.ndim == 0, name
        assert value.isfinite(), name
    assert task.predict(torch.rand(1, 1, 40, 56))[0].seg_logits.data.shape == (3, 40, 56)
    check_gradient(task, torch.rand(1, 1, 64, 64), ids)


@pytest.mark.slow
@pytest.mark.parametrize("config", [UPERNET, POINTREND])
def test_three_channels_of_other_networks(config, check_gradient):
    check_gradient(build(small(config)).eval(), torch.rand(1, 3, 45, 64), torch.randint(3, (1, 45, 64)))


def test_a_head_that_tells_outlines_from_the_rest():
    heads = build(STDC, num_classes=5).segmentor.auxiliary_head
    assert [head.num_classes for head in heads] == [5, 5, 2]


@with_mmdet
def test_a_head_that_classifies_masks():
    head = build(MASKFORMER).segmentor.decode_head
    assert head.num_classes == 3
    assert head.cls_embed.out_features == 4
    assert head.mask_embed[-1].out_features == 256, "a width, whatever the classes"
    assert head.class_weight == [1.0, 1.0, 1.0, 0.1]


@pytest.mark.slow
def test_heads_inside_heads():
    task = build(KNET)
    head = task.segmentor.decode_head
    assert {part.num_classes for part in (head.kernel_generate_head, *head.kernel_update_head)} == {3}
    assert task.predict(torch.rand(1, 1, 64, 64))[0].seg_logits.data.shape == (3, 64, 64)


def test_a_network_that_learns_from_more_than_class_ids():
    with pytest.raises(ConfigError, match="PIDHead learns from 'gt_edge_map' besides class ids"):
        build(PIDNET)(torch.rand(2, 1, 64, 64), torch.randint(3, (2, 64, 64)))


@pytest.mark.slow
@pytest.mark.parametrize("config", [SEGFORMER, UPERNET, STDC, POINTREND])
def test_a_meta_step_and_a_fusion_step_on_real_pairs(config, real_data, check_steps):
    check_steps(build(small(config)), PairedDataset(real_data("cwfid_seg"), split="train.txt"))
