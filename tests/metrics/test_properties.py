"""What must hold for every metric, whatever the images."""

import math

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from metaloss.metrics import CONVENTIONS, METRICS, evaluate

NAMES = [name for name, info in METRICS.items() if not info.optional]
PERFECT_QABF = 0.9994 / (1 + math.exp(-7.5)) * 0.9879 / (1 + math.exp(-4.4))


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_a_fused_image_that_equals_its_sources(scene, convention):
    _, (image, _) = scene()
    values = {name: value.item() for name, value in evaluate(image, [image, image], convention=convention).items()}
    best = 2 if CONVENTIONS[convention].similarity_over == "sum" else 1
    for name, expected in {
        "SSIM": best,
        "MS-SSIM": best,
        "VIF": best,
        "CC": 1,
        "SCD": 0,
        "MSE": 0,
        "PSNR": math.inf,
        "Qcv": 0,
        "Qabf": PERFECT_QABF,
    }.items():
        assert values[name] == pytest.approx(expected, abs=1e-9), name
    if convention == "tdfusion":
        assert values["MI"] == pytest.approx(2 * values["EN"])


@pytest.mark.parametrize("sources", [2, 3])
@pytest.mark.parametrize("convention", CONVENTIONS)
def test_the_order_of_the_sources_does_not_matter(scene, sources, convention):
    fused, sources = scene(sources=sources)
    there = evaluate(fused, sources, convention=convention)
    back = evaluate(fused, sources[::-1], convention=convention)
    for name in NAMES:
        torch.testing.assert_close(there[name], back[name], msg=name)


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize(
    ("level", "dtype"), [(0.0, torch.float32), (91.3, torch.float32), (91.3, torch.float64), (255.0, torch.float32)]
)
def test_constant_images_give_defined_values(scene, convention, dtype, level):
    _, (image, _) = scene(dtype=dtype)
    flat = torch.full_like(image, level)
    other = torch.full_like(image, 40.0)
    values = {
        what: {name: value.item() for name, value in evaluate(*images, convention=convention).items()}
        for what, images in {
            "all": (flat, [flat, flat]),
            "fused": (flat, [image, image + 1]),
            "source": (image, [image, flat]),
            "apart": (flat, [other, other]),
        }.items()
    }
    for what, given in values.items():
        for name, value in given.items():
            assert math.isfinite(value) or (name == "PSNR" and what == "all"), (what, name, value)
    for name in ("EN", "SD", "SF", "AG", "MI", "CC", "SCD", "MSE", "Qcv"):
        assert values["all"][name] == pytest.approx(0, abs=1e-4), name
    best = 2 if CONVENTIONS[convention].similarity_over == "sum" else 1
    for name in ("SSIM", "MS-SSIM", "VIF"):
        assert values["all"][name] == pytest.approx(best, abs=1e-3), name
    assert values["fused"]["CC"] == pytest.approx(0, abs=1e-6)
    assert values["fused"]["VIF"] == pytest.approx(0, abs=1e-4)


def test_a_constant_difference_gives_scd_of_zero(scene):
    _, (image, _) = scene()
    assert evaluate(image, [image - 5, image - 5], metrics=["SCD"])["SCD"].item() == 0


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_a_batch_equals_a_loop(scene, convention):
    fused, sources = scene(batch=3, dtype=torch.float32)
    batch = evaluate(fused, sources, convention=convention)
    for item in range(3):
        alone = evaluate(fused[item : item + 1], [source[item : item + 1] for source in sources], convention=convention)
        for name in batch:
            torch.testing.assert_close(batch[name][item : item + 1], alone[name], msg=name)


def test_a_batch_in_one_part_equals_a_batch_in_many(scene, monkeypatch):
    fused, sources = scene(batch=4, dtype=torch.float32)
    together = evaluate(fused, sources)
    monkeypatch.setattr("metaloss.metrics.images._CPU_PIXELS", 1)
    torch.testing.assert_close(evaluate(fused, sources), together)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_float32_within_a_thousandth_of_float64(scene, convention):
    single = evaluate(*scene(dtype=torch.float32), convention=convention)
    double = evaluate(*scene(dtype=torch.float64), convention=convention)
    for name in NAMES:
        assert single[name].dtype == torch.float32
        assert double[name].dtype == torch.float64
        torch.testing.assert_close(single[name].double(), double[name], rtol=1e-3, atol=0, msg=name)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float16, torch.bfloat16])
def test_narrow_dtypes_are_widened(scene, dtype):
    fused, sources = scene(dtype=torch.float32)
    fused, sources = fused.to(dtype), [source.to(dtype) for source in sources]
    wide = evaluate(fused.float(), [source.float() for source in sources])
    torch.testing.assert_close(evaluate(fused, sources), wide)


@pytest.mark.parametrize("name", [name for name in NAMES if METRICS[name].differentiable])
def test_gradients_against_finite_differences(scene, name):
    _, sources = scene(height=180, width=176)
    generator = torch.Generator().manual_seed(1)
    # Noise, since Qabf jumps where a gradient stands exactly upright.
    noise = torch.rand(sources[0].shape, dtype=torch.float64, generator=generator)
    fused = (0.6 * sources[0] + 0.3 * sources[1] + 10 * noise).requires_grad_()

    def value(image):
        return evaluate(image, sources, metrics=[name])[name].sum()

    (gradient,) = torch.autograd.grad(value(fused), fused)
    direction = torch.randn(fused.shape, dtype=fused.dtype, generator=generator) + gradient / gradient.std()
    step = 1e-6
    with torch.no_grad():
        numeric = (value(fused + step * direction) - value(fused - step * direction)) / (2 * step)
    assert (gradient * direction).sum().item() == pytest.approx(numeric.item(), rel=1e-4)


@pytest.mark.parametrize("name", [name for name in NAMES if METRICS[name].differentiable and name != "PSNR"])
def test_gradients_stay_finite_where_images_are_flat(scene, name):
    _, (image, _) = scene(height=180, width=176)
    flat = torch.full_like(image, 100.0).requires_grad_()
    value = evaluate(flat, [flat.detach(), image], metrics=[name])[name].sum()
    (gradient,) = torch.autograd.grad(value, flat)
    assert gradient.isfinite().all()


class _Watch(TorchDispatchMode):
    """Notes copies to other devices, and values read back."""

    def __init__(self):
        super().__init__()
        self.moves, self.reads = [], 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if function is torch.ops.aten._to_copy.default and kwargs.get("device") is not None:
            self.moves.append(kwargs["device"])
        self.reads += function is torch.ops.aten._local_scalar_dense.default
        return function(*args, **kwargs)


@pytest.mark.slow
def test_nothing_leaves_the_device(scene):
    fused, sources = scene(dtype=torch.float32)
    with _Watch() as watch:
        evaluate(fused, sources, metrics=[name for name, info in METRICS.items() if not info.needs_network])
    assert watch.moves == []
    # The checks read the smallest and the largest value of each image, nothing else does.
    assert watch.reads == 2 * 3


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("convention", CONVENTIONS)
def test_the_gpu_gives_the_same_values(scene, convention):
    fused, sources = scene(batch=3, dtype=torch.float32)
    values = evaluate(fused.cuda(), [source.cuda() for source in sources], convention=convention)
    for name, value in evaluate(fused, sources, convention=convention).items():
        assert values[name].device.type == "cuda"
        torch.testing.assert_close(values[name].cpu(), value, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_the_direction_is_the_right_one(scene, name):
    _, sources = scene(height=180, width=180)
    generator = torch.Generator().manual_seed(3)
    good = (sources[0] + sources[1]) / 2
    noise = torch.randn(good.shape, generator=generator, dtype=good.dtype)
    poor = (good.mean() + 40 * noise).clamp(0, 255)
    bad = poor if METRICS[name].needs_sources else 0.5 * good + 0.5 * good.mean()
    better, worse = (evaluate(image, sources, metrics=[name])[name].item() for image in (good, bad))
    assert (better > worse) == METRICS[name].higher_is_better
    assert METRICS[name].direction == ("up" if better > worse else "down")
