"""With one process the averages are nothing at all; tests/distributed has two."""

import torch
from torch import nn

from metaloss.runtime import processes


def test_one_process():
    assert (processes.world_size(), processes.rank()) == (1, 0)
    given = {"a": torch.rand(3, requires_grad=True), "b": torch.rand(())}
    for means in (processes.averaged(given), processes.averaged_where_present(given, given)):
        assert list(means) == ["a", "b"]
        assert all(means[name] is given[name] for name in given)
    norm = nn.BatchNorm2d(2)
    versions = [buffer._version for buffer in norm.buffers()]
    processes.take_from_first([given["a"], *norm.buffers()])
    processes.average_buffers(norm)
    assert [buffer._version for buffer in norm.buffers()] == versions
