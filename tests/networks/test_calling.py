"""What is said of a network that cannot be called as ``network(*sources)``, wherever it is called."""

import pytest
import torch
from torch import nn
from toys import learner, scenes

import metaloss


class OneTensor(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 1, 1)

    def forward(self, x):
        return self.conv(x)


class Named(OneTensor):
    def forward(self, ir, vi, guide):
        return self.conv(torch.cat([ir, vi], 1)) + guide


class NoForward(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 1, 1)


class Several(OneTensor):
    def forward(self, ir, vi):
        return self.conv(torch.cat([ir, vi], 1)), vi


class Colour(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 3, 1)

    def forward(self, ir, vi):
        return self.conv(torch.cat([ir, vi], 1))


class BrokenInside(OneTensor):
    def forward(self, ir, vi):
        return Named().forward(ir)


CASES = [
    (OneTensor, metaloss.ConfigError, r"OneTensor: .*metaloss.Concatenated\(network\).*metaloss.Adapted"),
    (lambda: nn.Sequential(nn.Conv2d(2, 1, 1)), metaloss.ConfigError, "Sequential: .*metaloss.Concatenated"),
    (Named, metaloss.ConfigError, "Named: .*'guide'.*metaloss.Adapted"),
    (NoForward, metaloss.ConfigError, r"NoForward has no forward\(\*sources\).*metaloss.Adapted"),
    (lambda: metaloss.Adapted(OneTensor(), lambda net, ir: net(ir)), metaloss.ConfigError, "every source"),
    (lambda: metaloss.Adapted(OneTensor()), metaloss.ConfigError, r"Adapted\(OneTensor\): .*metaloss.Concatenated"),
    (Several, metaloss.ShapeError, "Several returned tuple: .*metaloss.Adapted"),
    (lambda: metaloss.Adapted(Several()), metaloss.ShapeError, r"Adapted\(Several\) returned tuple"),
    (Colour, metaloss.ShapeError, "Colour returned 3 channels from sources of 1.*channels=3"),
    (BrokenInside, TypeError, "missing 2 required"),
]


DOINGS = {
    "fuse": lambda learner, batch: learner.fuse(*batch.sources),
    "meta_step": lambda learner, batch: learner.meta_step(batch, batch),
    "fusion_step": lambda learner, batch: learner.fusion_step(batch),
}


@pytest.mark.parametrize("doing", DOINGS.values(), ids=DOINGS)
@pytest.mark.parametrize(("network", "error", "reason"), CASES)
def test_the_wrap_that_helps_is_named(network, error, reason, doing):
    subject, given = learner(network()), scenes(dtype=torch.float32)
    with pytest.raises(error, match=reason):
        doing(subject, given)


def test_grey_and_colour_sources():
    ir, vi = torch.rand(2, 1, 8, 8), torch.rand(2, 3, 8, 8)
    with pytest.raises(metaloss.ShapeError, match=r"source 1 has 3 channels.*chroma.*Adapted\(network, channels=3\)"):
        metaloss.FusionBatch(sources=(ir, vi))
    with pytest.raises(metaloss.ShapeError, match="source 1 has 3 channels"):
        learner().fuse(ir, vi)
