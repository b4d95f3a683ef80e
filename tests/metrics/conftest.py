import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn.functional import interpolate

# The tests and the benchmark share reference.py; pytest's importlib mode puts no folder on the path.
sys.path.insert(0, str(Path(__file__).parent))

Scene = tuple[Tensor, tuple[Tensor, ...]]


@pytest.fixture(autouse=True)
def _one_thread():
    """The images are small: more threads only wait for each other where other processes run."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def scene() -> Callable[..., Scene]:
    """Makes fused images and sources: smooth scenes with edges and noise, rounded to grey levels."""

    def make(batch: int = 1, height: int = 181, width: int = 203, sources: int = 2, dtype=torch.float64) -> Scene:
        generator = torch.Generator().manual_seed(7)
        coarse = torch.rand(batch, sources, height // 8, width // 8, generator=generator, dtype=torch.float64)
        blocks = interpolate(coarse, size=(height, width), mode="nearest")
        noise = torch.rand(batch, sources, height, width, generator=generator, dtype=torch.float64)
        images = (20 + 180 * blocks + 40 * noise).round().to(dtype).split(1, dim=1)
        weights = [0.7, *[0.3 / (sources - 1)] * (sources - 1)]
        fused = sum(weight * image for weight, image in zip(weights, images, strict=True))
        return (1.2 * fused - 10).clamp(0, 255).round(), images

    return make


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leaves to the slow tests what the costliest metrics are asked beside their reference."""
    for item in items:
        name = getattr(item, "callspec", None) and item.callspec.params.get("name")
        if name in ("FMI_pixel", "FMI_gradient", "FMI_dct", "FMI_w", "Qp") and "reference" not in item.name:
            item.add_marker(pytest.mark.slow)
