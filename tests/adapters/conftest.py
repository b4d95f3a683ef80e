"""What tests of several frameworks share; the frameworks are real."""

import copy
from contextlib import contextmanager

import pytest
import torch
from torch.utils.data import Subset
from traces import changed, everything

import metaloss
from metaloss.data import Episodes, PairedDataset
from metaloss.tasks import task_loss


@pytest.fixture
def check_steps():
    """Takes a meta-gradient, a meta step and a fusion step; checks what each may change."""

    def check(task, dataset, **settings):
        part = Subset(dataset, range(4))
        episodes = Episodes(dataset=part, meta_steps=1, fusion_crop=(48, 48), task_size=(96, 128))
        learner = metaloss.MetaLearner(
            fusion=metaloss.build_fusion("refusion"),
            loss=metaloss.LearnableFusionLoss(),
            task=task.train(),
            lr=1e-3,
            hypergradient="forward",
            **settings,
        )
        [pair] = episodes.meta(0)
        start = everything(learner)
        gradient = learner.meta_gradient(*pair)
        assert changed(start, everything(learner)) == set()
        assert gradient.gradients.keys() == dict(learner.loss.named_parameters()).keys()
        values = learner.meta_step(*pair)
        after_meta = everything(learner)
        assert changed(start, after_meta) == {"loss"}
        values |= learner.fusion_step(next(iter(episodes.fusion(0))))
        assert changed(after_meta, everything(learner)) == {"fusion", "task"}
        assert all(value.isfinite() for value in values.values())

    return check


@pytest.fixture
def msrs(real_data):
    """Real pairs of streets with boxes of people, bicycles and cars."""
    return PairedDataset(real_data("msrs_det"), target="labels", split="train.txt")


class Replayed:
    """A function whose answers are recorded, and later given again in the same order.

    Detectors choose their targets by their own predictions and send no gradient through that choice: a finite
    difference of the loss has to hold it, too.
    """

    def __init__(self, function):
        self.function, self.answers, self.place = function, [], None

    def __call__(self, *arguments, **options):
        if self.place is None:
            answer = self.function(*arguments, **options)
            self.answers.append(copy.deepcopy(answer))  # some detectors take an answer apart
            return answer
        answer = self.answers[self.place % len(self.answers)]
        self.place += 1
        return copy.deepcopy(answer)


@pytest.fixture
def replayed():
    """Makes a function answer as it did the first time."""
    return Replayed


@contextmanager
def precision(dtype):
    """A precision, also where the frameworks make tensors of their own or ask for ``float()``."""
    default, single = torch.get_default_dtype(), torch.Tensor.float
    torch.set_default_dtype(dtype)
    torch.Tensor.float = lambda tensor: tensor.to(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(default)
        torch.Tensor.float = single


def as_type(value, dtype):
    """The same with its fractions as this type, through lists, dicts and instances."""
    from mmengine.structures import InstanceData

    if isinstance(value, torch.Tensor):
        return value.to(dtype) if value.is_floating_point() else value
    if isinstance(value, InstanceData):
        return InstanceData(**{name: as_type(part, dtype) for name, part in value.items()})
    if isinstance(value, (list, tuple)):
        return type(value)(as_type(part, dtype) for part in value)
    return value


@pytest.fixture
def in_single_precision():
    """Makes a function compute in float32 whatever it is given, as MMDetection's choices of targets have to."""
    return _in_single_precision


def _in_single_precision(function):
    def run(*arguments, **options):
        options = {name: as_type(value, torch.float32) for name, value in options.items()}
        with torch.no_grad(), precision(torch.float32):
            return as_type(function(*as_type(arguments, torch.float32), **options), torch.float64)

    return run


@pytest.fixture
def check_gradient():
    """Compares a task's gradient on the fused image with central differences along random directions, in float64."""

    def check(task, fused, target, held=(), rtol=1e-6, step=1e-7):
        task = task.double()
        fused = fused.double().requires_grad_(True)

        def value(image):
            torch.manual_seed(1)  # some detectors draw which boxes they learn from
            return task_loss(task, image, target)

        with precision(torch.float64):
            [gradient] = torch.autograd.grad(value(fused), fused)
            for each in held:
                assert each.answers, f"{each.function} was not called"
                each.place = 0
            assert gradient.shape == fused.shape
            assert gradient.isfinite().all()
            assert gradient.abs().max() > 0
            with torch.no_grad():
                for _ in range(3):
                    direction = torch.randn_like(fused)
                    ahead, behind = (value(fused + sign * step * direction) for sign in (1, -1))
                    difference = (ahead - behind) / (2 * step)
                    along = (gradient * direction).sum()
                    assert abs(along - difference) <= rtol * (gradient.norm() * direction.norm()), (along, difference)

    return check


@pytest.fixture
def boxes():
    """Targets for two images of 64x96 pixels: two objects, and none."""
    return [
        {"boxes": torch.tensor([[10.0, 8.0, 50.0, 60.0], [50.0, 4.0, 90.0, 40.0]]), "labels": torch.tensor([0, 2])},
        {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)},
    ]
