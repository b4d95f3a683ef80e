"""Memory, precision and compilation: the same numbers, or errors that are known."""

import copy
from contextlib import contextmanager

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from toys import (
    BatchNormNet,
    DropoutNet,
    PlainNet,
    TinyGenerator,
    TinyTask,
    held,
    learner,
    loss_of,
    relative_error,
    same,
    scenes,
)

import metaloss
from metaloss.hypergradient.blocks import blockwise, find_blocks
from metaloss.hypergradient.execution import Execution
from metaloss.networks import LossGenerator, ReFusionNet, RestormerBlock

METHODS = ["forward", "reverse", "finite_difference"]


class Block(nn.Module):
    def __init__(self, *, drop=True):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.drop = nn.Dropout(0.3 if drop else 0.0)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x, *, factor=1.0):
        self.calls += 1
        return x + factor * self.drop(F.silu(self.norm(self.conv(x)))) / self.calls.clone()


class Deep(nn.Module):
    """Blocks with buffers that matter, dropout and keyword arguments, and layers between them."""

    def __init__(self, *, drop=True):
        super().__init__()
        self.embed = nn.Conv2d(2, 4, 3, padding=1)
        self.body = nn.ModuleList(Block(drop=drop) for _ in range(3))
        self.head = nn.Sequential(nn.Conv2d(4, 4, 1), nn.SiLU(), nn.Conv2d(4, 1, 3, padding=1), nn.Sigmoid())

    def forward(self, *sources):
        x = self.embed(torch.cat(sources, 1))
        for block in self.body:
            x = block(x, factor=0.5).softmax(1) + x
        return self.head(x)


class DeepGenerator(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.Dropout(0.2), nn.SiLU()), TinyHead())

    def forward(self, *sources):
        return self.net(torch.cat(sources, 1)).softmax(1)


class TinyHead(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 2, 3, padding=1, bias=False)

    def forward(self, x):
        return self.conv(x)


def deep(fusion=None, **settings):
    torch.manual_seed(1)
    task = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.Sequential(nn.BatchNorm2d(4), nn.SiLU()), nn.Conv2d(4, 3, 1))
    return learner(
        (fusion or Deep)().double(),
        loss=metaloss.LearnableFusionLoss(DeepGenerator()).double(),
        task=metaloss.ModuleTask(task, F.cross_entropy).double(),
        **settings,
    )


def gradient(subject, *batches):
    torch.manual_seed(3)
    return subject.meta_gradient(*(batches or (scenes(1, view=(6, 5)), scenes(2)))).gradients


@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize("method", METHODS)
def test_low_memory_changes_no_number(method, steps):
    usual, other = (deep(hypergradient=method, inner_steps=steps, memory=kind) for kind in ("normal", "low"))
    before = held(other.fusion, other.loss, other.task)
    state = torch.get_rng_state()
    expected = gradient(usual)
    after_usual = torch.get_rng_state()
    torch.set_rng_state(state)
    assert relative_error(gradient(other), expected) < 1e-12
    assert torch.equal(torch.get_rng_state(), after_usual)
    assert same(held(other.fusion, other.loss, other.task), before)
    assert "forward" not in other.fusion.body[0].__dict__


@pytest.mark.parametrize("build", [BatchNormNet, DropoutNet, PlainNet])
def test_low_memory_of_a_network_without_blocks(build):
    usual, other = (deep(build, inner_steps=2, memory=kind) for kind in ("normal", "low"))
    assert relative_error(gradient(other), gradient(usual)) < 1e-12


@pytest.mark.slow
@pytest.mark.parametrize("steps", [1, 2])
def test_low_memory_of_the_reference_networks(steps):
    def build(memory):
        torch.manual_seed(1)
        generator = metaloss.LearnableFusionLoss(LossGenerator())
        return learner(
            ReFusionNet().double(), loss=generator.double(), task=TinyTask().double(), memory=memory, inner_steps=steps
        )

    assert relative_error(gradient(build("low")), gradient(build("normal"))) < 1e-12


def test_a_fusion_step_in_low_memory_moves_everything_once():
    subjects = [deep(memory=memory) for memory in ("normal", "low")]
    logs = []
    for subject in subjects:
        torch.manual_seed(5)
        logs.append(subject.fusion_step(scenes(1, view=(6, 5))))
    assert logs[0].keys() == logs[1].keys()
    for name, value in logs[0].items():
        torch.testing.assert_close(logs[1][name], value, rtol=1e-12, atol=1e-12)
    for one, other in zip(
        subjects[0].fusion.state_dict().values(), subjects[1].fusion.state_dict().values(), strict=True
    ):
        torch.testing.assert_close(other, one, rtol=1e-6, atol=1e-9)  # Adam's first step divides by |g|
    assert subjects[1].fusion.body[0].calls == 2  # the loss's view and the task's


@contextmanager
def kept_bytes():
    """Counts what is saved for a backward pass."""
    total = [0]

    def pack(tensor):
        total[0] += tensor.numel() * tensor.element_size()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        yield total


def test_low_memory_keeps_less():
    network, source = ReFusionNet(), torch.rand(1, 1, 32, 32)
    with kept_bytes() as usual:
        network(source, source)
    with kept_bytes() as low, blockwise(network):
        network(source, source)
    assert low[0] < 0.2 * usual[0]


def test_blocks_of_the_reference_network():
    network = ReFusionNet()
    blocks = find_blocks(network)
    restormer = [module for module in network.modules() if isinstance(module, RestormerBlock)]
    assert set(blocks) == {*restormer, network.mixing, network.head}
    assert find_blocks(PlainNet()) == []


def test_a_block_that_reads_a_tensor_of_others_is_refused():
    class Reaching(Deep):
        def __init__(self):
            super().__init__(drop=False)
            self.shared = nn.Parameter(torch.ones(()))
            for block in self.body:
                block.forward = lambda x, factor, block=block: Block.forward(block, x, factor=factor) * self.shared

    exact = gradient(deep(Reaching, inner_steps=1, memory="normal"))
    assert relative_error(gradient(deep(Reaching, inner_steps=1, memory="low")), exact) < 1e-12
    with pytest.raises(metaloss.MetaGradientError, match=r"memory=.low.*Block uses a trainable tensor"):
        gradient(deep(Reaching, inner_steps=2, memory="low"))


class Watched(PlainNet):
    """Notes the dtypes that its features come in."""

    def __init__(self):
        super().__init__()
        self.seen = set()

    def features(self, *sources):
        x = super().features(*sources)
        self.seen.add(x.dtype)
        return x


class WatchedGenerator(TinyGenerator):
    def forward(self, *sources):
        weights = super().forward(*sources)
        self.seen = weights.dtype
        return weights


SINGLE = scenes(1, dtype=torch.float32, size=(16, 16)), scenes(2, dtype=torch.float32, size=(16, 16))
BOUND = {"bf16": 0.1, "fp16": 0.01}


def watched(**settings):
    torch.manual_seed(2)
    task = TinyTask(dropout=0.0).eval()
    return learner(Watched(), loss=metaloss.LearnableFusionLoss(WatchedGenerator()), task=task, **settings)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize("method", METHODS)
def test_mixed_precision(method, steps, precision):
    subject = watched(hypergradient=method, inner_steps=steps, precision=precision)
    before = held(subject.fusion, subject.loss, subject.task)
    result = gradient(subject, *SINGLE)
    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}[precision]
    assert dtype in subject.fusion.seen
    assert subject.loss.generator.seen == torch.float32
    assert all(value.dtype == torch.float32 for value in result.values())
    assert same(held(subject.fusion, subject.loss, subject.task), before)
    expected = gradient(watched(hypergradient="forward", inner_steps=steps), *SINGLE)
    error = relative_error(result, expected)
    print(f"{precision}, {method}, K = {steps}: relative error {error:.1e}")
    assert 0 < error < BOUND[precision]


def test_half_precision_does_not_lose_small_gradients():
    """An inner rate of 1e-6 makes the direction far smaller than half precision's smallest number."""
    subject, exact = (watched(hypergradient="forward", inner_lr=1e-6, precision=kind) for kind in ("fp16", None))
    assert relative_error(gradient(subject, *SINGLE), gradient(exact, *SINGLE)) < 0.02


def test_low_memory_and_mixed_precision_together():
    usual, low = (
        watched(inner_steps=2, precision="bf16", memory=memory, hypergradient="forward") for memory in ("normal", "low")
    )
    assert relative_error(gradient(low, *SINGLE), gradient(usual, *SINGLE)) < 1e-6


@pytest.mark.slow
def test_training_in_mixed_precision_reaches_the_same_loss():
    """On synthetic scenes; the noise is what another seed changes."""
    from metaloss.data import SyntheticScenes

    def train(precision, seed):
        torch.manual_seed(seed)
        task = nn.Sequential(nn.Conv2d(1, 8, 5, padding=2), nn.ReLU(), nn.Conv2d(8, 4, 3, padding=1))
        subject = learner(
            PlainNet(width=8), loss=loss_of(), task=metaloss.ModuleTask(task, F.cross_entropy), precision=precision
        )
        log = subject.fit(SyntheticScenes(8, size=(32, 32)), epochs=4, meta_steps=4)
        return log[-1]["task_loss"], log[0]["task_loss"]

    full = [train(None, seed) for seed in range(4)]
    mixed = [train("bf16", seed) for seed in range(4)]
    ends = torch.tensor([end for end, _ in full])
    assert ends.mean() < 0.8 * torch.tensor([start for _, start in full]).mean()
    difference = abs(torch.tensor([end for end, _ in mixed]).mean() - ends.mean())
    assert difference < max(float(ends.std()), 0.01 * float(ends.mean()))


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")  # of torch's compiler, about itself
@pytest.mark.skipif(not hasattr(torch.compiler, "set_stance"), reason="torch has it from 2.6 on")
def test_what_is_differentiated_again_is_not_run_compiled():
    compiled_runs = []

    def backend(graph, inputs):
        def run(*arguments):
            compiled_runs.append(1)
            return graph.forward(*arguments)

        return run

    network = torch.compile(nn.Conv2d(1, 1, 1), backend=backend)
    image = torch.rand(1, 1, 4, 4)
    for derivatives, runs in ((2, 0), (1, 1), (2, 1)):
        Execution().run(network, image, derivatives=derivatives)
        assert len(compiled_runs) == runs


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")  # of torch's compiler, about itself
@pytest.mark.parametrize("network", [BatchNormNet, DropoutNet])
def test_compiled(network):
    """Exact up to the order of sums, for meta and fusion steps, and the networks stay as they are."""
    usual, compiled = (
        learner(network(), loss=loss_of(), task=TinyTask(dropout=0.2), compile=compile) for compile in (False, True)
    )
    for name in ("fusion", "loss", "task"):
        getattr(compiled, name).load_state_dict(copy.deepcopy(getattr(usual, name).state_dict()))
    before = held(compiled.fusion, compiled.loss, compiled.task)
    assert relative_error(gradient(compiled, *SINGLE), gradient(usual, *SINGLE)) < 1e-3
    assert same(held(compiled.fusion, compiled.loss, compiled.task), before)
    logs = []
    for subject in (usual, compiled):
        torch.manual_seed(5)
        logs.append(subject.fusion_step(SINGLE[0]))
    for name, value in logs[0].items():
        torch.testing.assert_close(logs[1][name], value, rtol=1e-4, atol=1e-6)


def test_settings_out_of_their_range():
    for setting in ({"memory": "tiny"}, {"precision": "int8"}, {"inner_state": "old"}):
        with pytest.raises(metaloss.ConfigError, match="choose one of"):
            learner(**setting)
