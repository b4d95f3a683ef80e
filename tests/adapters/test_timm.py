"""Classification with timm's models, and networks on their features."""

import pytest
import torch
import torch.nn.functional as F
from toys import held, relative_error, same, scenes

pytest.importorskip("timm")

import timm

import metaloss
from metaloss.data import SyntheticScenes, collate
from metaloss.errors import CheckpointError, ConfigError, ShapeError
from metaloss.hypergradient import forward, reverse
from metaloss.plugins import find, load_fusion, load_generator
from metaloss.testing import check_fusion, check_task

CLASSES = 3


def batch(seed=0, size=4, shape=(32, 40)):
    base = scenes(seed, batch=size, size=shape, dtype=torch.float32)
    labels = torch.randint(CLASSES, (size,), generator=torch.Generator().manual_seed(seed))
    return metaloss.FusionBatch(sources=base.sources, target=labels)


def build(model="resnet18", **settings):
    return metaloss.build_task("timm", model=model, num_classes=CLASSES, **settings)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["resnet18", "efficientnet_b0", "vit_tiny_patch16_224", "convnext_atto"])
def test_the_contract_is_kept(model):
    task = build(model)
    before = held(task)
    check_task(task, batch())
    assert same(before, held(task))


def test_the_loss_is_that_of_the_model_on_normalised_images():
    task, given = build().eval(), batch()
    fused = torch.stack(given.sources).mean(0)
    mean, std = (torch.tensor(task.classifier.pretrained_cfg[name])[:, None, None] for name in ("mean", "std"))
    logits = task.classifier((fused.repeat(1, 3, 1, 1) - mean) / std)
    assert torch.allclose(task(fused, given.target), F.cross_entropy(logits, given.target))
    assert torch.allclose(task.predict(fused), logits.softmax(1), atol=1e-6)


def test_a_model_of_one_size_gets_that_size_and_its_gradient_comes_back():
    task, fused = build("vit_tiny_patch16_224"), torch.rand(2, 1, 40, 56, requires_grad=True)
    task(fused, torch.tensor([0, 2])).backward()
    assert fused.grad.shape == fused.shape
    assert (fused.grad != 0).double().mean() > 0.99


@pytest.mark.parametrize("size", [(64, 96), (224, 224)])
def test_a_size_that_a_model_does_not_take(size):
    with pytest.raises(
        ShapeError, match=rf"'halonet26t' cannot classify with images of {size[0]}x{size[1]} pixels; it was"
    ):
        build("halonet26t")(torch.rand(2, 1, *size), torch.tensor([0, 2]))
    fusion = metaloss.build_fusion("timm_features", model="halonet26t", stages=(0, 4))
    with pytest.raises(ShapeError, match=r"cannot give features .*: give images of 256x256"):
        fusion(*torch.rand(2, 2, 1, *size))


def test_channels_that_are_no_colours():
    with pytest.raises(ShapeError, match=r"shape \(2, 2, 32, 32\): expected grey \(B, 1, H, W\) or RGB"):
        build().predict(torch.rand(2, 2, 32, 32))


@pytest.mark.parametrize(
    ("model", "stages"),
    [
        ("vit_tiny_patch16_224", (3, 11)),
        ("test_vit", (0, 1)),
        ("swin_tiny_patch4_window7_224", (0, 1)),
        ("maxvit_rmlp_pico_rw_256", (0, 1)),
        ("test_convnext", (0, 1)),
    ],
)
def test_features_of_transformers_have_the_images_size(model, stages):
    fusion = metaloss.build_fusion("timm_features", model=model, stages=stages)
    sources = torch.rand(2, 1, 1, 40, 56, requires_grad=True)
    fused = fusion(*sources)
    assert fused.shape == (1, 1, 40, 56)
    assert torch.autograd.grad(fused.sum(), sources)[0].any()
    for features, width in zip(
        fusion.pyramid._features(torch.cat(tuple(sources), 1)), fusion.pyramid.lateral, strict=True
    ):
        assert features.shape[1] == width.in_channels


def test_top1():
    evaluator = build().evaluator()
    probabilities = torch.eye(3)[[0, 1, 1, 2]]
    evaluator.update(list(probabilities[:2]), torch.tensor([0, 1]))
    evaluator.update(list(probabilities[2:]), torch.tensor([0, 0]))
    assert evaluator.compute() == {"top1": pytest.approx(50.0)}


@pytest.mark.parametrize("place", ["plain", "state_dict", "safetensors"])
def test_local_weights(place, tmp_path):
    saved = timm.create_model("resnet18", num_classes=CLASSES).state_dict()
    path = tmp_path / ("w.safetensors" if place == "safetensors" else "w.pth")
    if place == "safetensors":
        from safetensors.torch import save_file

        save_file(saved, path)
    else:
        torch.save(
            {"state_dict": {f"module.{k}": v for k, v in saved.items()}} if place == "state_dict" else saved, path
        )
    task = build(checkpoint=path)
    assert same(dict(task.classifier.state_dict()), dict(saved))
    with pytest.warns(UserWarning, match="2 entries stay as initialised, the first 'fc.bias'"):
        metaloss.build_task("timm", model="resnet18", num_classes=7, checkpoint=path)
    with pytest.raises(CheckpointError, match="holds no weights"):
        build("vit_tiny_patch16_224", checkpoint=path)


def test_what_cannot_be_used(tmp_path):
    for model, reason in (("resnet81", r"did you mean 'resnet\d+'"), ("hf-hub:timm/resnet18", "nothing is downloaded")):
        with pytest.raises(ConfigError, match=reason):
            build(model)
    with pytest.raises(ConfigError, match="at least two classes"):
        metaloss.build_task("timm", model="resnet18", num_classes=1)
    with pytest.raises(ConfigError, match="2 class names given for num_classes=3"):
        build(classes=("a", "b"))
    for target in (torch.zeros(2, 4, 4, dtype=torch.int64), torch.zeros(2), [0, 1]):
        with pytest.raises(ShapeError, match=r"expected class numbers \(B,\), int64"):
            build()(torch.rand(2, 1, 32, 32), target)
    (tmp_path / "bad.safetensors").write_bytes(b"no")
    with pytest.raises(CheckpointError, match="not readable as safetensors"):
        build(checkpoint=tmp_path / "bad.safetensors")
    for kind in ("fusion_networks", "loss_generators"):
        with pytest.raises(ConfigError, match="sources=1"):
            find(kind, "timm_features").load()(sources=1)
    with pytest.raises(ConfigError, match="timm cannot build 'resnet18'"):
        metaloss.build_fusion("timm_features", stages=(0, 9))


@pytest.mark.slow
@pytest.mark.parametrize("sources", [2, 3])
def test_networks_on_features_are_exact_and_weigh_every_source(sources):
    fusion = metaloss.build_fusion("timm_features", sources=sources)
    given = scenes(sources=sources, size=(24, 32), dtype=torch.float32)
    report = check_fusion(fusion, *given.sources)
    assert {point.outcome for point in report.points} == {"passed"}
    generator = find("loss_generators", "timm_features").load()(sources=sources, outputs=("intensity", "gradient"))
    for weights in generator(*given.sources).values():
        assert weights.shape == (2, sources, 24, 32)
        assert torch.allclose(weights.sum(1), torch.ones(()))
    loss = metaloss.LearnableFusionLoss(generator, gradient="learned").double()
    task = metaloss.ModuleTask(torch.nn.Conv2d(1, 3, 3, padding=1), F.cross_entropy).double()
    wide = [scenes(seed, sources=sources, size=(24, 32)) for seed in (1, 2)]
    problem = metaloss.MetaLearner(fusion=fusion.double(), loss=loss, task=task, inner_lr=0.1).problem
    exact = reverse(problem, *wide).gradients
    assert set(exact) == {name for name, _ in loss.named_parameters()}
    assert relative_error(forward(problem, *wide).gradients, exact) < 1e-10


@pytest.mark.slow
def test_training_saves_what_rebuilds_them(tmp_path):
    data = SyntheticScenes(4, size=(32, 40), target="classification")
    assert collate([data[0], data[1]]).target.shape == (2,)
    learner = metaloss.MetaLearner(
        fusion=metaloss.build_fusion("timm_features", stages=(0, 1)),
        loss=metaloss.LearnableFusionLoss(find("loss_generators", "timm_features").load()(stages=(0,))),
        task=build(),
        inner_lr=0.1,
        lr=1e-3,
    )
    [log] = learner.fit(data, epochs=1, meta_steps=1, work_dir=tmp_path)
    assert log["outer_loss"] > 0
    images = [source[None] for source in data[0]["sources"]]
    again = load_fusion(tmp_path / "epoch_1.pth")
    assert torch.equal(again(*images), learner.fuse(*images))
    weights = load_generator(tmp_path / "epoch_1.pth")(*images)["intensity"]
    assert torch.equal(weights, learner.loss.generator.eval()(*images)["intensity"])
