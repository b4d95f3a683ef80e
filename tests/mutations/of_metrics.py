"""Mutations of the metrics' constants, and of what a convention does with colour."""

from mutation import Mutation


def _values(name: str, file: str, find: str, replace: str, *more: str) -> Mutation:
    """A mutation that the comparison with the references has to notice."""
    tests = ("tests/metrics/test_values.py", *more)
    return Mutation(name=name, file=f"metaloss/metrics/{file}.py", find=find, replace=replace, tests=tests)


MUTATIONS = (
    _values("EN: in nats", "levels", " / math.log(2)", ""),
    _values("MI: levels 253 to 255 merged", "joint_levels", "LEVELS - 2", "LEVELS - 3"),
    _values("SF: by another number of pixels", "contrast", "/ images.pixels)", "/ (images.pixels - 1))"),
    _values("AG: not halved", "contrast", "across.square()) / 2)", "across.square()) / 1)"),
    _values("AG: by M (N - 1)", "contrast", "(height - 1) * (width - 1)", "height * (width - 1)"),
    _values("SCD: sum of the others", "correlation", "(len(sources) - 1)", "len(sources)"),
    _values("MSE: unit range of 256 levels", "difference", "error / 255**2", "error / 256**2"),
    _values("PSNR: peak of 256", "difference", "else 255.0", "else 256.0"),
    _values("VIF: noise of 0.4", "vif", "_NOISE = 2.0", "_NOISE = 0.4"),
    _values("VIF: three scales", "vif", "_SCALES = 4", "_SCALES = 3"),
    _values("VIF: narrower windows", "vif", "gaussian(size, size / 5)", "gaussian(size, size / 6)"),
    _values("Qabf: kg of 14", "xydeas_petrovic", "(0.9994, 15.0, 0.5)", "(0.9994, 14.0, 0.5)"),
    _values("Qabf: Da of 0.81", "xydeas_petrovic", "(0.9879, 22.0, 0.8)", "(0.9879, 22.0, 0.81)"),
    _values("Qabf: Tg of 1", "xydeas_petrovic", "(0.9994, ", "(1.0, "),
    _values("SSIM: C1 of another K1", "ssim", "_C1 = (0.01 * 255)", "_C1 = (0.02 * 255)"),
    _values("SSIM: C2 of 256 levels", "ssim", "_C2 = (0.03 * 255)", "_C2 = (0.03 * 256)"),
    _values("SSIM: wider Gaussian", "ssim", "gaussian(11, 1.5)", "gaussian(11, 1.6)"),
    _values("SSIM: no sample covariance", "ssim", "uniform(7), 49 / 48", "uniform(7), 1.0"),
    _values("MS-SSIM: another exponent", "ssim", "0.3001", "0.3011"),
    _values("Qcv: fourth power", "chen_varshney", "_SALIENCY_POWER = 5", "_SALIENCY_POWER = 4"),
    _values("Qcv: blocks of 8 pixels", "chen_varshney", "_BLOCK = 16", "_BLOCK = 8"),
    _values(
        "Qcv: cycles of half the image",
        "chen_varshney",
        "fftfreq(height, 1 / height, dtype=like.dtype, device=like.device) / 4",
        "fftfreq(height, 1 / height, dtype=like.dtype, device=like.device) / 2",
    ),
    _values("Qcv: another slope of the eye", "chen_varshney", "(scaled**1.1)", "(scaled**1.0)"),
    _values("Sobel: corners as much as edges", "images", "+ 2 * across[", "+ across["),
    Mutation(
        name="LPIPS: images from 0 to 2",
        file="metaloss/metrics/lpips.py",
        find="images.stack / 127.5 - 1",
        replace="images.stack / 127.5",
        tests=("tests/metrics/test_lpips.py",),
    ),
    Mutation(
        name="bands: SF without seams",
        file="metaloss/metrics/contrast.py",
        find=", joins_bands=True",
        replace="",
        tests=("tests/metrics/test_bands.py",),
    ),
    Mutation(
        name="bands: the first one alone",
        file="metaloss/metrics/registry.py",
        find="values.view(-1, images.bands).mean(1)",
        replace="values.view(-1, images.bands)[:, 0]",
        tests=("tests/metrics/test_bands.py",),
    ),
    Mutation(
        name="bands: those of different images averaged",
        file="metaloss/metrics/registry.py",
        find="values.view(-1, images.bands).mean(1)",
        replace="values.view(images.bands, -1).mean(0)",
        tests=("tests/metrics/test_bands.py",),
    ),
    Mutation(
        name="vifb: luma",
        file="metaloss/metrics/conventions.py",
        find="""
            colour="bands",""",
        replace="",
        tests=("tests/metrics/test_bands.py",),
    ),
    Mutation(
        name="arrays: luma not rounded",
        file="metaloss/metrics/measure.py",
        find="* 255).round().to(dtype)",
        replace="* 255).to(dtype)",
        tests=("tests/metrics/test_inputs.py",),
    ),
)
