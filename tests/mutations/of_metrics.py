"""Mutations of the metrics' constants, and of what a convention does with colour."""

from mutation import Mutation


def _values(name: str, file: str, find: str, replace: str, *more: str) -> Mutation:
    """A mutation that the comparison with the references has to notice."""
    tests = ("tests/metrics/test_values.py", *more)
    return Mutation(name=name, file=f"metaloss/metrics/{file}.py", find=find, replace=replace, tests=tests)


def _optional(name: str, file: str, find: str, replace: str) -> Mutation:
    """A mutation that the comparison window by window has to notice."""
    return Mutation(
        name=name,
        file=f"metaloss/metrics/{file}.py",
        find=find,
        replace=replace,
        tests=("tests/metrics/test_optional.py",),
    )


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
    _values("SSIM: C1 of another K1", "ssim", "(0.01 * 255)", "(0.02 * 255)"),
    _values("SSIM: C2 of 256 levels", "ssim", "(0.03 * 255)", "(0.03 * 256)"),
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
    _values("Sobel: corners as much as edges", "edges", "+ centre * across[", "+ across["),
    _optional("CE: in nats", "cross_entropy", " / math.log(2)", ""),
    _optional("EI: zeros outside the image", "edge_intensity", '"symmetric"', '"zeros"'),
    _optional("RMSE: of the sum", "difference", "norms / math.sqrt(images.pixels)", "norms"),
    _optional("NMI: half", "shared_information", "part = 2 * (total", "part = 1 * (total"),
    _optional(
        "QNCIE: entropies to the base 255",
        "shared_information",
        "- together) / math.log(LEVELS)",
        "- together) / math.log(255)",
    ),
    _optional("TE: q of 1.9", "shared_information", "_TSALLIS_ORDER = 1.85", "_TSALLIS_ORDER = 1.9"),
    _optional(
        "FMI: windows row by row",
        "feature_information",
        "(down, across) for across in range(_SIDE) for down",
        "(down, across) for down in range(_SIDE) for across",
    ),
    _optional("FMI: no lower bound", "feature_information", "correlation < 0", "correlation < -2"),
    _optional("FMI: edges above another threshold", "features", "_EDGE_SCALE = 4.0", "_EDGE_SCALE = 3.0"),
    _optional("FMI: another tap of the wavelet", "features", "0.7445855923188063", "0.7445855123188063"),
    _optional("FMI: wavelet high-pass turned over", "features", "place % 2 else -value", "place % 2 == 0 else -value"),
    _optional("Nabf: another steepness", "artifacts", "(0.9999, 19.0, 0.5)", "(0.9999, 18.5, 0.5)"),
    _optional("Nabf: angles of 0.48", "artifacts", "(0.9995, 22.0, 0.5)", "(0.9995, 22.0, 0.48)"),
    _optional("Nabf: edges from 2.1 on", "artifacts", "2.0, 0.001, 1.5", "2.1, 0.001, 1.5"),
    _optional("Nabf: larger smallest weight", "artifacts", "2.0, 0.001, 1.5", "2.0, 0.00104, 1.5"),
    _optional("Nabf: other power", "artifacts", "2.0, 0.001, 1.5", "2.0, 0.001, 1.55"),
    _optional("Qp: shortest wave of 3.1 pixels", "phase_congruency", "3.0, 2.1", "3.1, 2.1"),
    _optional("Qp: waves by 2.2", "phase_congruency", "3.0, 2.1", "3.0, 2.2"),
    _optional("Qp: narrower band", "phase_congruency", "0.55, 1.2", "0.57, 1.2"),
    _optional("Qp: narrower lobes", "phase_congruency", "0.55, 1.2", "0.55, 1.25"),
    _optional("Qp: lower cut-off", "phase_congruency", "0.45, 15", "0.44, 15"),
    _optional("Qp: more noise", "phase_congruency", "2.0, 1.7", "2.1, 1.7"),
    _optional("Qp: less noise", "phase_congruency", "2.0, 1.7", "2.0, 1.75"),
    _optional("Qp: spread from 0.52", "phase_congruency", "0.5, 10.0", "0.52, 10.0"),
    _optional("Qp: gain of 10.5", "phase_congruency", "0.5, 10.0", "0.5, 10.5"),
    _optional("Qp: larger epsilon", "phase_congruency", "_EPSILON = 1e-4", "_EPSILON = 1.04e-4"),
    _optional("Qp: features from 0.104 on", "zhao", "_FEATURE = 0.1", "_FEATURE = 0.104"),
    _optional("Qp: larger constant", "zhao", "_CONSTANT = 1e-4", "_CONSTANT = 1.04e-4"),
    _optional("Qw: windows of 7x7", "piella", "uniform(8)", "uniform(7)"),
    _optional("Qe: Sobel edges", "piella", "centre=1.0", "centre=2.0"),
    _optional("Qy: alike from 0.78 on", "window_similarity", "_ALIKE = 0.75", "_ALIKE = 0.78"),
    _optional("Qc: wider windows", "window_similarity", "gaussian(7, 1.5)", "gaussian(7, 1.55)"),
    _optional("Qc: weights not clipped", "window_similarity", ".clamp(0, 1)", ".clamp(-9, 9)"),
    _optional("MEF-SSIM: another exponent", "mef_ssim", "(0.0448, 0.2856", "(0.0448, 0.2756"),
    _optional("MEF-SSIM: powers up to 9", "mef_ssim", "10.0, 0.001", "9.0, 0.001"),
    _optional("MEF-SSIM: larger smallest strength", "mef_ssim", "10.0, 0.001", "10.0, 0.00104"),
    _optional(
        "Qcb: wider wide Gaussian of the eye", "chen_blum", "_DEGREES = 15.3870, 1.3456", "_DEGREES = 15.3870, 1.39"
    ),
    _optional("Qcb: wider narrow Gaussian of the eye", "chen_blum", "_DEGREES = 15.3870", "_DEGREES = 15.8"),
    _optional("Qcb: other weight of the eye", "chen_blum", "1.3456, 0.7622", "1.3456, 0.74"),
    _optional("Qcb: 14.5 degrees", "chen_blum", "0.7622, 15.0", "0.7622, 14.5"),
    _optional("Qcb: finer Gaussian", "chen_blum", "(2.0, 4.0), 15", "(1.95, 4.0), 15"),
    _optional("Qcb: smaller windows", "chen_blum", "(2.0, 4.0), 15", "(2.0, 4.0), 14"),
    _optional("Qcb: other mask", "chen_blum", "(3, 2), 1e-4", "(3, 2), 1.04e-4"),
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
