import math

import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import nn
from toys import PlainNet, held, loss_of, relative_error, same, scenes
from unrolled import by_hand

import metaloss
from metaloss.data import exchange_sources
from metaloss.hypergradient import MetaProblem, forward, reverse
from metaloss.inner import sgd
from metaloss.losses import reconstruction_loss
from metaloss.networks import LossGenerator, SourceReconstructor


class TinyReconstructor(nn.Module):
    def __init__(self, sources=2):
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.SiLU(), nn.Conv2d(4, sources, 3, padding=1))

    def forward(self, fused):
        return self.net(fused).split(1, dim=1)


def test_the_loss_is_that_of_the_reconstruction():
    task = metaloss.build_task("reconstruction", sources=3, alpha=0.5).double()
    assert isinstance(task.network, SourceReconstructor)
    batch = scenes(sources=3)
    fused = torch.rand_like(batch.sources[0])
    expected = reconstruction_loss(task.network(fused), batch.sources, 0.5).total
    assert torch.equal(task(fused, task.targets(batch)), expected)


def test_the_targets_are_the_sources_and_no_label():
    batch = scenes(view=(6, 6))
    assert metaloss.ReconstructionTask().targets(batch) is batch.sources


@pytest.mark.parametrize("sources", [2, 3])
def test_an_exchange_does_not_move_the_targets(sources):
    """R cannot see from the fused image which source stood where."""
    batch = scenes(batch=5, sources=sources)
    task = metaloss.ReconstructionTask(sources=sources)
    generator = torch.Generator().manual_seed(0)
    for _ in range(4):
        exchanged = exchange_sources(batch, generator)
        assert not same(exchanged.sources, batch.sources)
        assert same(task.targets(exchanged), batch.sources)


def test_predictions_are_scene_by_scene_and_leave_no_trace():
    task = metaloss.ReconstructionTask(nn.Sequential(nn.BatchNorm2d(1), TinyReconstructor()))
    fused = torch.rand(3, 1, 6, 7)
    before, random = held(task), torch.get_rng_state()
    predicted = task.predict(fused)
    assert predicted.shape == (3, 2, 1, 6, 7)
    assert not predicted.requires_grad
    assert same(held(task), before)
    assert torch.equal(torch.get_rng_state(), random)
    task.eval()
    assert torch.equal(predicted[:, 1], task.network(fused)[1])


def test_the_evaluator_against_scikit_image():
    truth, found = torch.rand(3, 2, 1, 16, 18), torch.rand(3, 2, 1, 16, 18)
    evaluator = metaloss.ReconstructionTask().evaluator()
    evaluator.update(found[:2], tuple(truth[:2].unbind(1)))
    evaluator.update(found[2:], tuple(truth[2:].unbind(1)))
    scores = evaluator.compute()
    pairs = [(truth[b, k, 0].numpy(), found[b, k, 0].numpy()) for b in range(3) for k in range(2)]

    def mean(score, **settings):
        return sum(score(*pair, data_range=1.0, **settings) for pair in pairs) / len(pairs)

    assert scores["reconstruction/MSE"] == pytest.approx(float((truth - found).square().mean()), rel=1e-5)
    assert scores["reconstruction/PSNR"] == pytest.approx(mean(peak_signal_noise_ratio), rel=1e-5)
    assert scores["reconstruction/SSIM"] == pytest.approx(
        mean(structural_similarity, gaussian_weights=True, sigma=1.5, use_sample_covariance=False), abs=1e-4
    )


def test_the_evaluator_at_its_ends():
    truth = torch.rand(1, 2, 1, 8, 8)
    evaluator = metaloss.ReconstructionTask().evaluator()
    evaluator.update(truth, tuple(truth.unbind(1)))
    assert evaluator.compute() == {"reconstruction/MSE": 0, "reconstruction/PSNR": pytest.approx(100)}
    evaluator = metaloss.ReconstructionTask().evaluator()
    evaluator.update(torch.zeros(1, 2, 1, 8, 8), (torch.full((1, 1, 8, 8), 0.1),) * 2)
    assert math.isclose(evaluator.compute()["reconstruction/PSNR"], 20, abs_tol=1e-3)


@pytest.mark.parametrize("view", [None, (6, 6)])
@pytest.mark.parametrize("method", [forward, reverse])
def test_the_meta_gradient_is_exact(method, view):
    """Against the unrolled graph, with two weight pairs and the gradient term's ramp half way."""
    loss = metaloss.LearnableFusionLoss(
        LossGenerator(outputs=("intensity", "gradient")), gradient="learned", alpha_ramp=True
    )
    loss.at_epoch(2, 5)
    check_exact(method, loss, PlainNet(), metaloss.ReconstructionTask(TinyReconstructor()), view)


@pytest.mark.parametrize("method", [forward, reverse])
def test_the_meta_gradient_is_exact_with_the_reference_reconstructor(method):
    check_exact(method, loss_of(), PlainNet(), metaloss.ReconstructionTask(), None)


def check_exact(method, loss, fusion, task, view):
    problem = MetaProblem(
        fusion=fusion.double(), loss=loss.double(), task=task.double(), fusion_rule=sgd(0.5), task_rule=sgd(0.5)
    )
    batches = [with_targets(scenes(seed, view=view), task) for seed in (1, 2)]
    found = method(problem, *batches).gradients
    assert relative_error(found, by_hand(problem, *batches)) < 1e-12
    assert all(value.any() for value in found.values())


def with_targets(batch, task):
    # the labels go: what unrolls by hand looks for its target in the batch
    return metaloss.FusionBatch(batch.sources, task.targets(batch), batch.fusion_view)


def test_what_does_not_fit():
    with pytest.raises(metaloss.ConfigError, match="sources=1"):
        metaloss.ReconstructionTask(sources=1)
    with pytest.raises(metaloss.ConfigError, match="alpha=-1"):
        metaloss.ReconstructionTask(alpha=-1)
    batch = scenes(sources=3, dtype=torch.float32)
    with pytest.raises(metaloss.ShapeError, match="2 images were reconstructed of 3 sources"):
        metaloss.ReconstructionTask()(batch.sources[0], batch.sources)
