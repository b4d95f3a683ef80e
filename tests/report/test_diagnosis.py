import pytest
import torch
from faulty import TensorHook
from toys import AttentionNet, PlainNet, WarpNet, held, learner, needs_grid_sample_twice, same, scenes

import metaloss
from metaloss.plugins import records
from metaloss.report.allocated import AllocatedMemory
from metaloss.report.diagnosis import advice, diagnose

BATCHES = scenes(1, dtype=torch.float32), scenes(2, dtype=torch.float32)


def found(subject):
    return {finding.method: finding for finding in diagnose(subject, *BATCHES)}


def test_every_method_is_tried_and_nothing_changes():
    subject = learner()
    before, state = held(subject.fusion, subject.loss, subject.task), torch.get_rng_state()
    findings = found(subject)
    assert set(findings) == set(records("hypergradients"))
    assert all(finding.works and finding.seconds > 0 and finding.megabytes > 0 for finding in findings.values())
    assert findings["forward"].error is None
    assert findings["reverse"].error < 1e-5
    assert 1e-8 < findings["finite_difference"].error < 1e-1
    assert "'forward': exact" in advice(list(findings.values()))[0]
    assert same(held(subject.fusion, subject.loss, subject.task), before)
    assert torch.equal(torch.get_rng_state(), state)


@needs_grid_sample_twice
def test_forward_mode_blocked():
    findings = found(learner(WarpNet()))
    assert not findings["forward"].works
    assert findings["forward"].operator == "grid_sampler_2d"
    assert findings["reverse"].works
    lines = advice(list(findings.values()))
    assert "fall back to 'reverse'" in lines[0]
    assert any("'forward': grid_sampler_2d has no forward-mode rule" in line for line in lines)


def test_a_derivative_that_is_not_that_of_training():
    findings = found(learner(TensorHook()))
    assert "differs from its training gradient" in findings["forward"].obstacle
    assert "register_hook" in findings["forward"].obstacle
    assert findings["reverse"].works
    assert "fall back to 'reverse'" in advice(list(findings.values()))[0]


def test_fused_attention():
    assert all(finding.works for finding in found(learner(AttentionNet(math=False))).values())


def test_nothing_to_learn():
    with pytest.raises(metaloss.MetaGradientError, match="no trainable parameter"):
        diagnose(learner(PlainNet().requires_grad_(False)), *BATCHES)


def test_a_task_that_ignores_the_image():
    class Blind(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.level = torch.nn.Parameter(torch.ones(()))

        def forward(self, fused, target):
            return self.level**2

    findings = found(learner(task=Blind()))
    assert not any(finding.works for finding in findings.values())
    lines = advice(list(findings.values()))
    assert lines[0] == "No method works with these networks."
    assert any("ignores the fused image" in line for line in lines)


def test_allocated_memory_is_what_tensors_hold_at_once():
    with AllocatedMemory() as memory:
        for _ in range(3):
            kept = torch.zeros(1000)
            del kept
        both = torch.zeros(500), torch.zeros(250)
        view = both[0].view(50, 10)
        both[1].add_(1)
    assert memory.peak == 4000
    assert memory.held == 3000
    del both, view
    assert memory.held == 0


def test_allocated_memory_sees_what_a_backward_pass_keeps():
    layer = torch.nn.Sequential(*(torch.nn.Sigmoid() for _ in range(10)))
    x = torch.rand(1000, requires_grad=True)
    with AllocatedMemory() as kept:
        layer(x).sum().backward()
    with AllocatedMemory() as freed, torch.no_grad():
        layer(x)
    assert kept.peak > 40_000 > 10_000 > freed.peak
