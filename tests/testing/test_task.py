import re

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from toys import TinyTask, held, same, scenes

import metaloss
from metaloss.errors import ConfigError
from metaloss.tasks import TaskAdapter
from metaloss.testing import check_task

BATCH = scenes(batch=3, dtype=torch.float32)
BATCH.target[0, 2:] = 0  # so that the scenes' counts differ


class Good(TaskAdapter):
    """A segmentation task that keeps every point."""

    def __init__(self):
        super().__init__()
        self.net = TinyTask()

    def logits(self, fused):
        return self.net.head(F.silu(self.net.norm(self.net.first(fused))))

    def forward(self, fused, target):
        return F.cross_entropy(self.logits(fused), target)

    def predict(self, fused):
        flags = [(module, module.training) for module in self.modules()]
        self.eval()
        with torch.no_grad():
            found = self.logits(fused)
        for module, flag in flags:
            module.training = flag
        return found

    def evaluator(self):
        return Score()


class Score:
    def __init__(self):
        self.right = []

    def update(self, predictions, target):
        self.right += [float((x.argmax(0) == ids).float().mean()) for x, ids in zip(predictions, target, strict=True)]

    def compute(self):
        return {"share": sum(self.right) / len(self.right)}


class Vector(Good):
    def forward(self, fused, target):
        return F.cross_entropy(self.logits(fused), target, reduction="none")


class Summed(Good):
    def forward(self, fused, target):
        return F.cross_entropy(self.logits(fused), target, reduction="sum")


class ByCounts(Good):
    """Divides by the pixels that count: the same for scenes that stand twice, no mean over scenes."""

    def forward(self, fused, target):
        return F.cross_entropy(self.logits(fused), target, ignore_index=0)


class Cut(Good):
    def forward(self, fused, target):
        return super().forward(fused.detach(), target)


class HalfCut(Good):
    def forward(self, fused, target):
        return super().forward(0.5 * fused + 0.5 * fused.detach(), target)


class Nan(Good):
    def forward(self, fused, target):
        return super().forward(fused, target) + (fused - fused).sqrt().mean()


class Frozen(Good):
    def logits(self, fused):
        with torch.no_grad():
            weight = self.net.first.weight.mean()
        return torch.cat([fused, fused * weight, -fused], 1)


class Backward(Good):
    def forward(self, fused, target):
        loss = super().forward(fused, target)
        loss.backward(retain_graph=True)
        return loss


class Flags(Good):
    def forward(self, fused, target):
        self.net.drop.eval()
        self.net.drop.training = not self.net.drop.training
        return super().forward(fused, target)


class Counting(Good):
    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, fused, target):
        self.calls += 1
        return super().forward(fused, target)


class InPlace(Good):
    def forward(self, fused, target):
        fused.data.mul_(0.5)
        return super().forward(fused, target)


class Drawing(Good):
    def forward(self, fused, target):
        return super().forward(F.dropout(fused, 0.1, training=True), target)


class Single(Good):
    """Falls back to float32 whatever it is in."""

    def forward(self, fused, target):
        self.net.float()
        return super().forward(fused.float(), target)


class Hidden(Good):
    """Keeps weights where nobody can put others in their place."""

    def __init__(self):
        super().__init__()
        self.kept = [self.net.head.weight]

    def logits(self, fused):
        x = F.silu(self.net.norm(self.net.first(fused)))
        return F.conv2d(x, self.kept[0].to(x.dtype), self.net.head.bias)


class OnePrediction(Good):
    def predict(self, fused):
        return super().predict(fused)[:1]


class Careless(Good):
    """Predicts in training mode."""

    def predict(self, fused):
        with torch.no_grad():
            return self.logits(fused)


class WithGraph(Good):
    def predict(self, fused):
        self.eval()
        found = self.logits(fused)
        self.train()
        return found


class Stale(Good):
    def __init__(self):
        super().__init__()
        self.score = Score()
        self.calls = 0

    def evaluator(self):
        self.calls += 1
        self.score.right += [1.0 * self.calls]
        return self.score


class Nameless(Good):
    def evaluator(self):
        return Tensors()


class Tensors(Score):
    def compute(self):
        return {"share": torch.ones(())}


def test_a_good_task_is_left_as_it_is():
    task, random = Good(), torch.get_rng_state()
    before = held(task)
    report = check_task(task, BATCH)
    assert same(before, held(task))
    assert torch.equal(random, torch.get_rng_state())
    assert {point.outcome for point in report.points} <= {"passed", "skipped"}
    assert sum(point.outcome == "passed" for point in report.points) == 9
    assert str(report).startswith("Good\npassed: copies, and targets(batch)\n")


@pytest.mark.parametrize(
    ("task", "reasons"),
    [
        (Vector, ["loss in training mode.*returned a loss of shape .3, 8, 8.: expected a scalar mean"]),
        (Summed, ["a mean, not a sum.* for 3 scenes, .* for the same scenes twice", "independence of the batch"]),
        (ByCounts, ["independence of the batch.*pass independent=False"]),
        (Cut, ["no gradient reaches the fused image: the path is cut"]),
        (HalfCut, ["by the gradient, .* by a finite difference: a part of it is cut"]),
        (Nan, ["the gradient on the fused image is not finite"]),
        (Frozen, ["no gradient reaches any trainable parameter of the task"]),
        (Backward, ["changes .grad of"]),
        (Flags, ["changes the training flag of 'net.drop'"]),
        (Counting, ["loss in evaluation mode.*changes the buffer of 'calls'"]),
        (InPlace, ["changes an input, in place"]),
        (Drawing, ["loss in evaluation mode.*changes the random numbers"]),
        (Single, ["a task in float64 gives a loss in torch.float32"]),
        (Hidden, ["other weights in the place of its own.*are kept outside of the module's parameters"]),
        (OnePrediction, ["1 predictions for 3 scenes"]),
        (Careless, ["predict: .*changes the buffer of 'net.norm.num_batches_tracked'"]),
        (WithGraph, ["predictions carry gradients"]),
        (Stale, ["it is not a fresh one"]),
        (Nameless, ["compute.. gives 'share': Tensor; expected numbers by name"]),
    ],
)
def test_every_broken_point_is_named(task, reasons):
    with pytest.raises(ConfigError) as error:
        check_task(task(), BATCH)
    text = str(error.value)
    assert text.startswith(f"{task.__name__} fails ")
    for reason in reasons:
        assert re.search(f"\n- .*{reason}", text), text
    assert text.count("\n- ") == int(text.split()[2])


def test_losses_divided_by_counts_can_say_so():
    report = check_task(ByCounts(), BATCH, independent=False)
    assert "skipped: independence of the batch" in str(report)


class Assigned(Good):
    """Its targets follow from its own predictions, held fixed, as a detector's do; a sum over what was matched."""

    def forward(self, fused, target):
        logits = self.logits(fused)
        matched = logits.detach().softmax(1)
        return (F.cross_entropy(logits, target, reduction="none") * matched[:, 0]).sum()


def test_detectors_can_say_so():
    report = str(check_task(Assigned(), BATCH, assigned=True))
    assert "skipped: a mean over the scenes: not looked at: assigned=True" in report
    assert "passed: float64\n" in report
    with pytest.raises(ConfigError, match="fails 3 of"):
        check_task(Assigned(), BATCH)
    with pytest.raises(ConfigError, match=r"a task in float64 gives a loss in torch.float32"):
        check_task(Single(), BATCH, assigned=True)


def test_plain_modules_and_what_cannot_be_checked():
    report = check_task(TinyTask(), BATCH)
    assert "skipped: predict and evaluator: a plain module has none" in str(report)
    with pytest.raises(ConfigError, match="at least two scenes"):
        check_task(Good(), scenes(batch=1, dtype=torch.float32))
    with pytest.raises(ConfigError, match="NotImplementedError"):
        check_task(nn.Module(), BATCH)


def test_several_tasks_and_missing_labels():
    ids = BATCH.target
    whole = metaloss.FusionBatch(sources=BATCH.sources, target={"a": ids, "b": ids})
    task = metaloss.MultiTask({"a": Good(), "b": Good()}, weights="uncertainty")
    assert "skipped" not in str(check_task(task, whole)).replace("skipped: another device", "")
    part = metaloss.FusionBatch(sources=BATCH.sources, target={"a": ids, "b": [ids[0], None, ids[2]]})
    check_task(task, part, independent=False)
