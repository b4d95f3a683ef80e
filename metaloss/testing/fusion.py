"""Checks that a fusion network keeps its contract."""

from __future__ import annotations

from contextlib import nullcontext, suppress

import torch
from torch import Tensor, nn

from metaloss.batch import FusionBatch, check_sources
from metaloss.errors import MetaLossError
from metaloss.hypergradient import HypergradientMethod, MetaGradient, MetaProblem, forward, reverse
from metaloss.hypergradient.calls import fuse
from metaloss.hypergradient.execution import Execution
from metaloss.hypergradient.fast_weights import FastWeights
from metaloss.hypergradient.functional import trainable
from metaloss.hypergradient.operators import MissingDerivativeError, WrongDerivativeError
from metaloss.hypergradient.untrained import check_trained
from metaloss.inference.fuse import fuse_any_size
from metaloss.inner import sgd
from metaloss.losses import LearnableFusionLoss
from metaloss.networks import Concatenated
from metaloss.networks.calling import name_of
from metaloss.tasks import ModuleTask
from metaloss.testing.copies import copy_of
from metaloss.testing.report import Failure, Report
from metaloss.testing.traces import in_float64, no_trace, random_numbers_kept
from metaloss.training.checks import check_built, constant_image

_CLOSE = 1e-4
_SAME = 1e-5  # of images that are equal but for the order of sums
_EXACT = {torch.float64: 1e-7, torch.float32: 1e-2}  # relative, of two exact meta-gradients
METHODS: dict[str, HypergradientMethod] = {"forward": forward, "reverse": reverse}


def check_fusion(network: nn.Module, *sources: Tensor) -> Report:
    """Checks a fusion network: what every author can run before training it.

    The network itself is left as it is: all is done with copies. Looked at are the fused image (shape, finite, its
    range), sources that are ignored, sizes that are odd, evaluation mode (the same twice, one scene as several),
    what is left changed, tensors that nobody would train, and the meta-gradient: by forward mode and by double
    backward, which have to be the derivative of the gradient that trains the network. It is taken in float64, or in
    float32 where the network computes in nothing else.

    Args:
        network: ``(*sources) -> fused``.
        sources: n >= 2 tensors of shape (B, C, H, W), in [0, 1]; B of two or more tells scenes apart.

    Returns:
        What was looked at; ``print`` it. A range outside [0, 1], a network that gives the same image for exchanged
        sources, and a method that the network does not allow, are noted there.

    Raises:
        ShapeError: sources that are no sources.
        ConfigError: naming every point that is not kept; a network that cannot be called fails that one alone.

    Examples:
        >>> import torch
        >>> import metaloss
        >>> ir, vi = torch.rand(2, 2, 1, 32, 32)
        >>> print(metaloss.testing.check_fusion(metaloss.networks.ReFusionNet(), ir, vi))
        ReFusionNet
        passed: the fused image: of the sources' shape and dtype, finite, nothing changed
        ...
    """
    check_sources(sources)
    check_built(network)
    report = Report(name_of(network))
    with random_numbers_kept():
        fused = _check_image(report, network, sources)
        if fused is None:
            return report.verdict()
        reason = constant_image(copy_of(network), sources, Execution())
        with report.point("every source counts"), torch.no_grad():
            if reason:
                raise Failure(reason)
            _check_sources_count(network, sources)
        with suppress(Exception):  # of the author's code, which the other points name
            _look_at_exchange(report, network, sources)
        _check_evaluation(report, network, sources)
        with report.point("everything that needs a gradient is trained"):
            check_trained(copy_of(network).train(), sources, Execution())
        if not trainable(network):
            report.note("the meta-gradient", "the network has no trainable parameter: all are frozen", "failed")
        elif not reason:
            _check_meta_gradient(report, network, sources)
    return report.verdict()


def _check_image(report: Report, network: nn.Module, sources: tuple[Tensor, ...]) -> Tensor | None:
    """The fused image, or ``None`` where the network could not be called."""
    copied = copy_of(network).train()
    fused: Tensor | None = None
    with report.point("the fused image: of the sources' shape and dtype, finite, nothing changed"):
        try:
            with no_trace(copied, *sources, random=False, buffers=False):
                fused = fuse(copied, sources, Execution()).detach()
        except (Failure, MetaLossError):
            raise
        except Exception as error:
            raise Failure(f"{type(error).__name__}: {' '.join(str(error).split())}") from error
        if fused.shape != sources[0].shape or fused.dtype != sources[0].dtype:
            raise Failure(
                f"{tuple(fused.shape)} {fused.dtype} from sources {tuple(sources[0].shape)} {sources[0].dtype}"
            )
        if not fused.isfinite().all():
            raise Failure("the fused image is not finite")
    if fused is not None and fused.isfinite().all() and (fused.amin() < 0 or fused.amax() > 1):
        span = f"{fused.amin().item():.3g} to {fused.amax().item():.3g}"
        report.note("range", f"the fused image reaches from {span}, images from 0 to 1: end with a sigmoid or a clamp")
    return fused


def _check_sources_count(network: nn.Module, sources: tuple[Tensor, ...]) -> None:
    copied = copy_of(network).eval()
    plain = fuse(copied, sources, Execution())
    for number in range(len(sources)):
        other = [source.flip(-1, -2) * 0.5 if k == number else source for k, source in enumerate(sources)]
        if torch.equal(fuse(copied, tuple(other), Execution()), plain):
            raise Failure(f"the fused image does not depend on source {number}")


@torch.no_grad()
def _look_at_exchange(report: Report, network: nn.Module, sources: tuple[Tensor, ...]) -> None:
    """Notes a network whose image stays the same when two sources are exchanged, whatever its parameters are."""
    if sources[0].shape != sources[1].shape:
        return
    copied = FastWeights.of(copy_of(network).eval())
    torch.manual_seed(0)  # new networks may do so only as they begin (a mean, and a last layer of 0): they are moved
    moved = {name: p + torch.randn_like(p) * (p.abs().mean() / 4 + 1e-2) for name, p in copied.params.items()}
    images = []
    for given in (sources, (sources[1], sources[0], *sources[2:])):
        with copied.swapped(moved) as module:
            images.append(fuse(module, given, Execution()))
    fused, exchanged = images
    if fused.amax() - fused.amin() > 100 * _SAME and torch.allclose(exchanged, fused, rtol=0, atol=_SAME):
        says = "the same image: it can learn what a place looks like, not which source to follow there"
        report.note("sources 0 and 1 exchanged", f"{says}; give each source an encoder of its own")


def _check_evaluation(report: Report, network: nn.Module, sources: tuple[Tensor, ...]) -> None:
    copied = copy_of(network).eval()
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
    dtype = _precise_dtype(report, network, sources)
    bits = str(dtype).removeprefix("torch.")
    found: dict[str, MetaGradient] = {}
    missing: dict[str, MissingDerivativeError] = {}
    wrong: dict[str, WrongDerivativeError] = {}
    with (
        report.point(f"the meta-gradient in {bits}: an exact method works"),
        in_float64() if dtype == torch.float64 else nullcontext(),
    ):
        problem, batch = _problem(network, sources, dtype)
        for name, method in METHODS.items():
            torch.manual_seed(0)
            try:
                found[name] = method(problem, batch, batch)
            except MissingDerivativeError as error:
                missing[name] = error
            except WrongDerivativeError as error:
                wrong[name] = error
        if not found:
            raise Failure("; ".join(map(str, (*missing.values(), *wrong.values()))))
        if not any(value.any() for gradient in found.values() for value in gradient.gradients.values()):
            raise Failure("zero: the fused image does not depend on the network's trainable parameters")
    for name, obstacle in missing.items():
        report.note(f"hypergradient={name!r}", f"{obstacle.operator} has no {obstacle.lacking}.{obstacle.remedy}")
    with report.point(f"the meta-gradient in {bits}: forward mode and double backward agree"):
        if wrong:
            raise Failure("; ".join(f"{each.finding} ({each.cause})" for each in wrong.values()))
        if len(found) == len(METHODS):
            mine, other = (
                torch.cat([value.flatten() for _, value in sorted(gradient.gradients.items())])
                for gradient in found.values()
            )
            difference = float((mine - other).norm() / other.norm())
            if difference > _EXACT[dtype]:
                raise Failure(f"forward mode and double backward differ by {difference:.1e} of their size")


def _precise_dtype(report: Report, network: nn.Module, sources: tuple[Tensor, ...]) -> torch.dtype:
    """float64 where the network runs in it."""
    try:
        with in_float64(), torch.no_grad():
            fuse(copy_of(network).double(), tuple(source.double() for source in sources), Execution())
    except Exception as error:  # whatever the network's own code says of the dtype
        words = " ".join(str(error).split())[:120]
        report.note("float64", f"the network computes in float32 alone ({type(error).__name__}: {words})")
        return torch.float32
    return torch.float64


def _problem(network: nn.Module, sources: tuple[Tensor, ...], dtype: torch.dtype) -> tuple[MetaProblem, FusionBatch]:
    """A small meta-learning problem around a copy of the network."""
    count, channels = len(sources), sources[0].shape[1]
    generator = nn.Sequential(nn.Conv2d(count * channels, count, 3, padding=1), nn.Softmax(1))
    problem = MetaProblem(
        fusion=copy_of(network).to(dtype).train(),
        loss=LearnableFusionLoss(Concatenated(generator)).to(dtype),
        task=ModuleTask(nn.Conv2d(channels, 1, 3, padding=1), nn.functional.mse_loss).to(dtype),
        fusion_rule=sgd(0.1),
        task_rule=sgd(0.1),
        number=0,
    )
    exact = tuple(source.detach().to(dtype) for source in sources)
    return problem, FusionBatch(sources=exact, target=torch.rand_like(exact[0][:, :1]))
