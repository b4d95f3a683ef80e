"""Checks that a fusion network keeps its contract."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from metaloss.batch import FusionBatch, check_sources
from metaloss.errors import MetaGradientError
from metaloss.fusing import fuse_any_size
from metaloss.hypergradient import HypergradientMethod, MetaGradient, MetaProblem, forward, reverse
from metaloss.hypergradient.execution import Execution
from metaloss.hypergradient.network import fuse
from metaloss.hypergradient.operators import MissingDerivativeError
from metaloss.inner import sgd
from metaloss.losses import LearnableFusionLoss
from metaloss.networks import Concatenated
from metaloss.tasks import ModuleTask
from metaloss.testing.report import Failure, Report
from metaloss.testing.traces import in_float64, no_trace, random_numbers_kept

_CLOSE = 1e-4
_EXACT = 1e-7  # relative, of two exact meta-gradients in float64
METHODS: dict[str, HypergradientMethod] = {"forward": forward, "reverse": reverse}


def check_fusion(network: nn.Module, *sources: Tensor) -> Report:
    """Checks a fusion network: what every author can run before training it.

    The network itself is left as it is: all is done with copies. Looked at are the fused image (shape, finite, its
    range), sources that are ignored, sizes that are odd, evaluation mode (the same twice, one scene as several),
    what is left changed, and the meta-gradient in float64: by forward mode and by double backward, which have to agree.

    Args:
        network: ``(*sources) -> fused``.
        sources: n >= 2 tensors of shape (B, C, H, W), in [0, 1]; B of two or more tells scenes apart.

    Returns:
        What was looked at; ``print`` it. A range outside [0, 1], and a method that the network does not allow, are
        noted there.

    Raises:
        ShapeError: sources that are no sources.
        ConfigError: naming every point that is not kept.
    """
    check_sources(sources)
    report = Report(type(network).__name__)
    with random_numbers_kept():
        _check_image(report, network, sources)
        _check_evaluation(report, network, sources)
        _check_meta_gradient(report, network, sources)
    return report.verdict()


def _check_image(report: Report, network: nn.Module, sources: tuple[Tensor, ...]) -> None:
    fused: Tensor | None = None
    with report.point("the fused image: of the sources' shape and dtype, finite, nothing changed"):
        copied = copy.deepcopy(network).train()
        with no_trace(copied, *sources, random=False, buffers=False):
            fused = fuse(copied, sources, Execution()).detach()
        if fused.shape != sources[0].shape or fused.dtype != sources[0].dtype:
            raise Failure(
                f"{tuple(fused.shape)} {fused.dtype} from sources {tuple(sources[0].shape)} {sources[0].dtype}"
            )
        if not fused.isfinite().all():
            raise Failure("the fused image is not finite")
    if fused is not None and fused.isfinite().all() and (fused.amin() < 0 or fused.amax() > 1):
        span = f"{fused.amin().item():.3g} to {fused.amax().item():.3g}"
        report.note("range", f"the fused image reaches from {span}, images from 0 to 1: end with a sigmoid or a clamp")
    with report.point("every source counts"), torch.no_grad():
        copied = copy.deepcopy(network).eval()
        plain = copied(*sources)
        for number in range(len(sources)):
            other = [source.flip(-1, -2) * 0.5 if k == number else source for k, source in enumerate(sources)]
            if torch.equal(copied(*other), plain):
                raise Failure(f"the fused image does not depend on source {number}")


def _check_evaluation(report: Report, network: nn.Module, sources: tuple[Tensor, ...]) -> None:
    copied = copy.deepcopy(network).eval()
    with report.point("evaluation mode: the same image twice, nothing changed"), torch.no_grad():
        with no_trace(copied, *sources):
            first = copied(*sources)
        if not torch.equal(first, copied(*sources)):
            raise Failure("two runs give different images")
    if len(sources[0]) > 1:
        with report.point("evaluation mode: a scene alone as in a batch"), torch.no_grad():
            alone = copied(*(source[:1] for source in sources))
            if not torch.allclose(alone, copied(*sources)[:1], rtol=_CLOSE, atol=_CLOSE):
                raise Failure("the image of a scene depends on the other scenes of its batch")
    height, width = sources[0].shape[-2:]
    odd = tuple(source[..., : height - 1 - height % 2, : width - 1 - width % 2] for source in sources)
    with report.point("odd sizes, padded where need be"):
        fused = fuse_any_size(copied, odd)
        if fused.shape != odd[0].shape:
            raise Failure(f"{tuple(odd[0].shape)} is fused into {tuple(fused.shape)}")


def _check_meta_gradient(report: Report, network: nn.Module, sources: tuple[Tensor, ...]) -> None:
    found: dict[str, MetaGradient] = {}
    obstacles: dict[str, MissingDerivativeError] = {}
    with report.point("the meta-gradient in float64: an exact method works"), in_float64():
        problem, batch = _problem(network, sources)
        for name, method in METHODS.items():
            torch.manual_seed(0)
            try:
                found[name] = method(problem, batch, batch)
            except MissingDerivativeError as error:
                obstacles[name] = error
        if not found:
            raise Failure("; ".join(map(str, obstacles.values())))
        if not any(value.any() for gradient in found.values() for value in gradient.gradients.values()):
            raise MetaGradientError("zero: the fused image does not depend on the network's trainable parameters")
    for name, obstacle in obstacles.items():
        report.note(f"hypergradient={name!r}", f"{obstacle.operator} has no {obstacle.lacking}.{obstacle.remedy}")
    if len(found) == len(METHODS):
        with report.point("the meta-gradient in float64: forward mode and double backward agree"):
            mine, other = (
                torch.cat([value.flatten() for _, value in sorted(gradient.gradients.items())])
                for gradient in found.values()
            )
            difference = float((mine - other).norm() / other.norm())
            if not difference < _EXACT:
                raise Failure(f"they differ by {difference:.1e} of their size: a derivative of the network is wrong")


def _problem(network: nn.Module, sources: tuple[Tensor, ...]) -> tuple[MetaProblem, FusionBatch]:
    """A small meta-learning problem in float64 around a copy of the network."""
    count, channels = len(sources), sources[0].shape[1]
    generator = nn.Sequential(nn.Conv2d(count * channels, count, 3, padding=1), nn.Softmax(1))
    problem = MetaProblem(
        fusion=copy.deepcopy(network).double().train(),
        loss=LearnableFusionLoss(Concatenated(generator)).double(),
        task=ModuleTask(nn.Conv2d(channels, 1, 3, padding=1), nn.functional.mse_loss).double(),
        fusion_rule=sgd(0.1),
        task_rule=sgd(0.1),
    )
    wide = tuple(source.detach().double() for source in sources)
    return problem, FusionBatch(sources=wide, target=torch.rand_like(wide[0][:, :1]))
