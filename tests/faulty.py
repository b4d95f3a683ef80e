"""Fusion networks in which torch's derivatives go apart, and what is right for each."""

import random

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torchvision.ops import DeformConv2d
from toys import PlainNet


class OutputRange(PlainNet):
    """Min-max normalised, with the range under no_grad."""

    def forward(self, *sources):
        y = self.head(self.features(*sources))
        with torch.no_grad():
            low, high = y.amin((1, 2, 3), keepdim=True), y.amax((1, 2, 3), keepdim=True)
        return (y - low) / (high - low + 1e-6)


class FrozenStatistics(PlainNet):
    @torch.no_grad()
    def statistics(self, x):
        return x.mean((0, 2, 3), keepdim=True), x.var((0, 2, 3), keepdim=True)

    def features(self, *sources):
        x = super().features(*sources)
        mean, variance = self.statistics(x)
        return (x - mean) / (variance + 1e-5).sqrt()


class GuideMap(PlainNet):
    def features(self, *sources):
        x = super().features(*sources)
        enabled = torch.is_grad_enabled()
        torch.set_grad_enabled(False)
        guide = x.mean(1, keepdim=True).sigmoid()
        torch.set_grad_enabled(enabled)
        return x * guide


class TruncatedUnrolling(PlainNet):
    """All iterations but the last without gradient; the features are used in place as well."""

    def __init__(self):
        super().__init__()
        self.mix = nn.Conv2d(4, 4, 3, padding=1)

    def features(self, *sources):
        x = super().features(*sources)
        z = torch.zeros_like(x)
        with torch.no_grad():
            for _ in range(5):
                z = torch.tanh(self.mix(z) + 0.3 * x)
                z[:, :1].mul_(0.5)
        return torch.tanh(self.mix(z) + 0.3 * x)


class TensorHook(PlainNet):
    def features(self, *sources):
        x = super().features(*sources)
        if x.requires_grad:
            x.register_hook(lambda gradient: 0.1 * gradient)
        return x


class AlwaysHooked(PlainNet):
    """Hooks its features without asking whether they need a gradient, and keeps their gradient."""

    def features(self, *sources):
        x = super().features(*sources)
        x.retain_grad()
        x.register_hook(lambda gradient: 0.5 * gradient)
        return x


def backward_hook():
    network = PlainNet()
    network.head.register_full_backward_hook(
        lambda module, inner, outer: tuple(None if gradient is None else 0.3 * gradient for gradient in inner)
    )
    return network


class Noisy(PlainNet):
    """Scales its features by a random number that ``draw`` gives."""

    def __init__(self, draw):
        super().__init__()
        self.draw = draw

    def features(self, *sources):
        return super().features(*sources) * (1 + 0.5 * self.draw())


class OwnTorchGenerator(PlainNet):
    def __init__(self):
        super().__init__()
        self.generator = torch.Generator().manual_seed(1)

    def features(self, *sources):
        x = super().features(*sources)
        return x * (torch.rand(x.shape, generator=self.generator, dtype=x.dtype) > 0.4)


class OwnNumpyGenerator(PlainNet):
    def __init__(self):
        super().__init__()
        self.rng, self.python = np.random.default_rng(1), random.Random(2)

    def features(self, *sources):
        return super().features(*sources) * (1 + 0.3 * self.rng.standard_normal()) * self.python.uniform(0.5, 1)


_HIDDEN = np.random.default_rng(5)


def hidden_draw():
    return float(_HIDDEN.standard_normal())


class DeformableNet(PlainNet):
    """torchvision's operator has neither a second derivative nor a forward-mode rule that torch would miss."""

    def __init__(self):
        super().__init__()
        self.offset, self.deform = nn.Conv2d(4, 18, 3, padding=1), DeformConv2d(4, 4, 3, padding=1)

    def features(self, *sources):
        x = super().features(*sources)
        return self.deform(x, self.offset(x))


@torch.library.custom_op("metaloss_tests::cube", mutates_args=())
def cube(x: torch.Tensor) -> torch.Tensor:
    return x**3


def _save(ctx, inputs, output):
    ctx.save_for_backward(inputs[0])


def _cube_backward(ctx, gradient):
    return 3 * ctx.saved_tensors[0] ** 2 * gradient


torch.library.register_autograd("metaloss_tests::cube", _cube_backward, setup_context=_save)


class CustomOperator(PlainNet):
    def features(self, *sources):
        return cube(super().features(*sources))


class NumpyTanh(torch.autograd.Function):
    """Its backward leaves autograd, and does not say so."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.tanh()

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return torch.from_numpy((1 - np.tanh(x.detach().numpy()) ** 2) * gradient.detach().numpy())


class ConstantTanh(NumpyTanh):
    """Its backward is differentiable by the gradient, and takes its own factor for a constant."""

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return (1 - x.detach().tanh() ** 2) * gradient


class TanhNet(PlainNet):
    function = staticmethod(torch.tanh)

    def features(self, *sources):
        return self.function(sum(embed(x) for embed, x in zip(self.embed, sources, strict=True)))


class NumpyNet(TanhNet):
    function = NumpyTanh.apply


class ConstantNet(TanhNet):
    function = ConstantTanh.apply


class NumpyHead(PlainNet):
    """The very last operator leaves autograd."""

    def forward(self, *sources):
        return NumpyTanh.apply(self.head(self.features(*sources)))


class ReLUWithFunction(TanhNet):
    def features(self, *sources):
        return F.relu(super().features(*sources))
