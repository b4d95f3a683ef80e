"""Small networks that nobody rewrote for metaloss, batches for them, and a look at everything they hold."""

import copy
import warnings

import pytest
import torch
import torch.autograd.forward_ad as fwd
import torch.nn.functional as F
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.checkpoint import checkpoint
from torch.utils.data import Dataset

import metaloss
from metaloss.hypergradient import MetaProblem
from metaloss.inner import sgd

CLASSES = 3

with warnings.catch_warnings(), fwd.dual_level():
    # torch's first dual tensor warns of a deprecated call of its own
    warnings.simplefilter("ignore", DeprecationWarning)
    fwd.make_dual(torch.zeros(()), torch.zeros(()))


class PlainNet(nn.Module):
    def __init__(self, sources=2, width=4):
        super().__init__()
        self.embed = nn.ModuleList(nn.Conv2d(1, width, 3, padding=1) for _ in range(sources))
        self.head = nn.Conv2d(width, 1, 3, padding=1)

    def features(self, *sources):
        return F.silu(sum(embed(x) for embed, x in zip(self.embed, sources, strict=True)))

    def forward(self, *sources):
        return self.head(self.features(*sources)).sigmoid()


class BatchNormNet(PlainNet):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm2d(4)

    def features(self, *sources):
        return F.silu(self.norm(super().features(*sources)))


class DropoutNet(PlainNet):
    def __init__(self):
        super().__init__()
        self.drop, self.drop_maps = nn.Dropout(0.3), nn.Dropout2d(0.3)

    def features(self, *sources):
        return self.drop_maps(self.drop(super().features(*sources)))


class StridedNet(nn.Module):
    """GroupNorm, a strided and a transposed convolution."""

    def __init__(self):
        super().__init__()
        self.down = nn.Conv2d(2, 8, 4, stride=2, padding=1)
        self.norm = nn.GroupNorm(2, 8)
        self.up = nn.ConvTranspose2d(8, 1, 4, stride=2, padding=1)

    def forward(self, a, b):
        return self.up(F.gelu(self.norm(self.down(torch.cat([a, b], 1))))).sigmoid()


class AttentionNet(nn.Module):
    """Attention over 4x4 patches; through the math kernel, or through whichever torch takes."""

    def __init__(self, *, math=True):
        super().__init__()
        self.math = math
        self.patch = nn.Conv2d(2, 8, 4, stride=4)
        self.qkv = nn.Linear(8, 24)
        self.back = nn.ConvTranspose2d(8, 1, 4, stride=4)

    def forward(self, a, b):
        x = self.patch(torch.cat([a, b], 1))
        q, k, v = self.qkv(x.flatten(2).mT).unsqueeze(1).chunk(3, dim=-1)
        if self.math:
            with sdpa_kernel(SDPBackend.MATH):
                attended = F.scaled_dot_product_attention(q, k, v)
        else:
            attended = F.scaled_dot_product_attention(q, k, v)
        return self.back(x + attended.squeeze(1).mT.unflatten(2, x.shape[-2:])).sigmoid()


class CheckpointedNet(PlainNet):
    def features(self, *sources):
        return checkpoint(super().features, *sources, use_reentrant=False)


def grid_sample_can_be_differentiated_twice():
    x, grid = torch.rand(1, 1, 3, 3, requires_grad=True), torch.rand(1, 2, 2, 2)
    [first] = torch.autograd.grad(F.grid_sample(x, grid, align_corners=False).square().sum(), x, create_graph=True)
    try:
        first.sum().backward()
    except RuntimeError:
        return False
    return True


needs_grid_sample_twice = pytest.mark.skipif(
    not grid_sample_can_be_differentiated_twice(), reason="grid_sample of this torch (2.4) has no second derivative"
)


class WarpNet(PlainNet):
    """Shifts its features by what it learned, with an operator that has no forward-mode rule."""

    def __init__(self):
        super().__init__()
        self.shift = nn.Parameter(torch.tensor([0.013, -0.021]))
        self.drop = nn.Dropout(0.2)

    def forward(self, *sources):
        x = self.drop(self.features(*sources))
        grid = F.affine_grid(torch.eye(2, 3, dtype=x.dtype).expand(len(x), 2, 3), list(x.shape), align_corners=False)
        return self.head(F.grid_sample(x, grid + self.shift, align_corners=False)).sigmoid()


class SiameseNet(nn.Module):
    """Both sources go through one convolution."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(1, 4, 3, padding=1)
        self.head = nn.Conv2d(4, 1, 3, padding=1)

    def forward(self, a, b):
        second = getattr(self, "second", self.first)
        return self.head(F.silu(self.first(a) - 0.5 * second(b))).sigmoid()


def tie_modules(network):
    network.second = network.first
    return network


def tie_weights(network):
    network.second = nn.Conv2d(1, 4, 3, padding=1)
    network.second.weight, network.second.bias = network.first.weight, network.first.bias
    return network


def half_frozen():
    network = PlainNet()
    network.embed[0].requires_grad_(False)
    network.head.bias.requires_grad_(False)
    return network


def concatenated():
    return metaloss.Concatenated(
        nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.SiLU(), nn.Conv2d(4, 1, 3, padding=1), nn.Sigmoid())
    )


USER_NETWORKS = {
    "batch_norm": BatchNormNet,
    "dropout": DropoutNet,
    "group_norm_strided": StridedNet,
    "math_attention": AttentionNet,
    "concatenated": concatenated,
}


class TinyGenerator(nn.Module):
    """Weights for any number of sources."""

    def __init__(self, sources=2):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(sources, 4, 3, padding=1), nn.SiLU(), nn.Conv2d(4, sources, 3, padding=1, bias=False)
        )

    def forward(self, *sources):
        return self.net(torch.cat(sources, 1)).softmax(1)


class TinyTask(nn.Module):
    """A segmentation network with batch norm and dropout; twice differentiable all over."""

    def __init__(self, dropout=0.2):
        super().__init__()
        self.first = nn.Conv2d(1, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.drop = nn.Dropout(dropout)
        self.head = nn.Conv2d(4, CLASSES, 1)

    def forward(self, fused, target):
        return F.cross_entropy(self.head(self.drop(F.silu(self.norm(self.first(fused))))), target)


def loss_of(sources=2, **settings):
    return metaloss.LearnableFusionLoss(TinyGenerator(sources), **settings)


def scenes(seed=0, *, batch=2, size=(8, 8), sources=2, view=None, dtype=torch.float64):
    """A random batch; ``view`` is the size of a fusion view that differs from the task's."""
    generator = torch.Generator().manual_seed(seed)

    def images(height, width):
        return tuple(torch.rand(batch, 1, height, width, generator=generator, dtype=dtype) for _ in range(sources))

    return metaloss.FusionBatch(
        sources=images(*size),
        target=torch.randint(CLASSES, (batch, *size), generator=generator),
        fusion_view=None if view is None else images(*view),
    )


def problem(fusion=None, *, loss=None, task=None, rule=None, task_rule=None, lr=0.5, steps=1):
    """A meta problem in float64, with an inner rate large enough to see the effect."""
    rule = rule or sgd(lr)
    return MetaProblem(
        fusion=(PlainNet() if fusion is None else fusion).double(),
        loss=(loss_of() if loss is None else loss).double(),
        task=(TinyTask() if task is None else task).double(),
        fusion_rule=rule,
        task_rule=task_rule or rule,
        steps=steps,
    )


def learner(fusion=None, *, loss=None, task=None, **settings):
    settings = {"inner_lr": 0.5, "lr": 1e-2, **settings}
    return metaloss.MetaLearner(
        fusion=fusion or PlainNet(), loss=loss or loss_of(), task=task or TinyTask(), **settings
    )


class Scenes(Dataset):
    """A tiny data set of tensors; every second item may be of another size."""

    def __init__(self, length=6, size=(8, 8), other=None):
        sizes = [size if other is None or number % 2 == 0 else other for number in range(length)]
        self.batches = [scenes(number, batch=1, size=size, dtype=torch.float32) for number, size in enumerate(sizes)]

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        batch = self.batches[index]
        return {
            "sources": tuple(source[0] for source in batch.sources),
            "target": batch.target[0],
            "names": f"scene{index}",
        }


def held(*modules, optimizers=()):
    """A copy of everything a meta-gradient must leave as it is."""
    return copy.deepcopy(
        [
            [
                {name: param.detach() for name, param in module.named_parameters()},
                {name: param.grad for name, param in module.named_parameters()},
                {name: param.requires_grad for name, param in module.named_parameters()},
                dict(module.named_buffers()),
                {name: child.training for name, child in module.named_modules()},
            ]
            for module in modules
        ]
        + [optimizer.state_dict() for optimizer in optimizers]
    )


def same(first, second):
    """Bit-for-bit equality of nested values."""
    if isinstance(first, torch.Tensor):
        return isinstance(second, torch.Tensor) and first.dtype == second.dtype and torch.equal(first, second)
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(same(first[key], second[key]) for key in first)
    if isinstance(first, (list, tuple)):
        return len(first) == len(second) and all(map(same, first, second))
    return first == second


def relative_error(first, second):
    """Of gradients by name: |a - b| / |b| over all of them; infinite when the names differ."""
    if first.keys() != second.keys():
        return float("inf")
    a, b = (torch.cat([tensors[name].flatten() for name in second]) for tensors in (first, second))
    return float((a - b).norm() / b.norm())
