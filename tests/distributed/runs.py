"""What several processes do, each on its share of a batch, or one on the whole: run by test_exactness.py.

``torchrun --standalone --nproc-per-node 2 runs.py FOLDER`` writes what each process ended with.
"""

import os
import sys
import warnings
from pathlib import Path

import torch
import torch.distributed as dist
import torch.nn.functional as F
from ending import end
from torch import nn

sys.path.insert(0, str(Path(__file__).parent.parent))
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # torch's own, at import
    from toys import CLASSES, BatchNormNet, PlainNet, Scenes, TinyTask, loss_of, problem, scenes

import metaloss
from metaloss.data.episodes import share
from metaloss.hypergradient import finite_difference, forward, reverse
from metaloss.hypergradient.image_update import ImageUpdate
from metaloss.inner import adam, sgd
from metaloss.runtime.processes import (
    average_buffers,
    averaged,
    averaged_where_present,
    rank,
    take_from_first,
    world_size,
)

METHODS = {"forward": forward, "reverse": reverse, "finite_difference": finite_difference}
IMAGE = {"image": ImageUpdate(), "image lr": ImageUpdate(0.1)}
RULES = {"sgd": lambda: sgd(0.5), "adam": lambda: adam(0.05)}
VIEWS = {"one view": None, "two views": (6, 6)}
KINDS = (("sgd", "one view"), ("sgd", "two views"), ("adam", "two views"))
BATCH = 4


class PlainTask(nn.Module):
    """A segmentation network whose loss is a plain mean over scenes and pixels."""

    def __init__(self):
        super().__init__()
        self.first, self.head = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, CLASSES, 1)

    def forward(self, fused, target):
        return F.cross_entropy(self.head(F.silu(self.first(fused))), target)


class DoubleScenes(Scenes):
    def __getitem__(self, index):
        item = super().__getitem__(index)
        return {**item, "sources": tuple(source.double() for source in item["sources"])}


def own(batch):
    """This process's share of a whole batch."""
    items = share(range(len(batch)), rank(), world_size())
    return metaloss.FusionBatch(
        sources=tuple(source[items] for source in batch.sources),
        target=batch.target[items],
        fusion_view=None if batch.fusion_view is None else tuple(source[items] for source in batch.fusion_view),
    )


def batch(seed, **settings):
    return own(scenes(seed, batch=BATCH, **settings))


def meta_gradient(method, rule, steps, view):
    torch.manual_seed(0)
    posed = problem(task=PlainTask(), rule=RULES[rule](), steps=steps)
    found = {**METHODS, **IMAGE}[method](posed, batch(1, view=view), batch(2))
    losses = {"inner": found.inner_loss, "task inner": found.task_inner_loss, "outer": found.outer_loss}
    return {**found.gradients, **losses}


def reference_networks():
    """The networks of the papers, once."""
    torch.manual_seed(0)
    learner = metaloss.MetaLearner(
        fusion=metaloss.networks.ReFusionNet().double(),
        loss=metaloss.LearnableFusionLoss().double(),
        task=PlainTask().double(),
        hypergradient="forward",
        inner_lr=0.1,
    )
    found = learner.meta_gradient(batch(1, size=(16, 16)), batch(2, size=(16, 16)))
    return {**found.gradients, "outer": found.outer_loss}


def learner(seed=0, *, fusion=None, task=None, **settings):
    torch.manual_seed(seed)
    settings = {"inner_lr": 0.5, "lr": 1e-2, **settings}
    fusion, loss, task = fusion or PlainNet(), loss_of(), task or PlainTask()
    return metaloss.MetaLearner(fusion=fusion.double(), loss=loss.double(), task=task.double(), **settings)


def held(subject):
    """Parameters and buffers."""
    return {
        f"{part}.{name}": value
        for part in ("fusion", "loss", "task")
        for name, value in getattr(subject, part).state_dict().items()
    }


def trained(broken=None, **settings):
    """Five meta steps and five fusion steps; at one meta step a value of the last scene is not finite."""
    subject = learner(**settings)
    log = {}
    for number in range(5):
        train, test = (scenes(number + start, batch=BATCH, view=(6, 6)) for start in (10, 20))
        if number == broken:
            test.sources[0][-1, 0, 3, 3] = torch.nan
        log |= {f"{name} {number}": value for name, value in subject.meta_step(own(train), own(test)).items()}
        log |= {f"{name} {number}": value for name, value in subject.fusion_step(batch(number)).items()}
    return {**held(subject), **log, "skipped": torch.tensor(subject.skipped)}


def fitted(folder, **settings):
    """Two epochs from a start that only process 0 has, the second in a new learner that resumes."""
    common = {
        "dataset": DoubleScenes(10), "meta_steps": 3, "batch_size": BATCH // world_size(), "fusion_crop": 6,
        "work_dir": folder,
    }  # fmt: skip
    learner(rank(), **settings).fit(**common, epochs=1)
    subject = learner(5 + rank(), **settings)
    log = subject.fit(**common, epochs=2, resume=True)
    logged = {f"{name} {each['epoch']}": torch.tensor(value) for each in log for name, value in each.items()}
    return {**held(subject), **logged}


def with_statistics(folder):
    """Batch norm: processes differ from one on the whole batch, and not from each other."""
    subject = learner(rank(), fusion=BatchNormNet(), task=TinyTask(dropout=0.0))
    subject.fit(DoubleScenes(6), epochs=1, meta_steps=1, batch_size=1, work_dir=folder)
    return held(subject)


def averages():
    """The means themselves, of values that the test knows."""
    number = float(rank())
    given = {"a": torch.full((2, 3), number), "b": torch.full((), 1 + number).double()}
    like = {name: torch.zeros(2) for name in ("both", "one", "none")}
    some = {"both": torch.full((2,), number)} | ({"one": torch.ones(2)} if rank() == world_size() - 1 else {})
    taken = [torch.full((3, 2), number).mT, torch.tensor([rank() == 0]), torch.tensor(rank())]
    take_from_first(taken)
    norm = nn.BatchNorm1d(2)
    norm.running_mean.fill_(number)
    average_buffers(norm)
    found = {f"averaged {name}": value for name, value in averaged(given).items()}
    found |= {f"present {name}": value for name, value in averaged_where_present(some, like).items()}
    found |= {f"taken {place}": value for place, value in enumerate(taken)}
    return {**found, "running_mean": norm.running_mean}


def everything(folder):
    found = {
        f"{method}, {rule}, K={steps}, {views}": meta_gradient(method, rule, steps, VIEWS[views])
        for method in (*METHODS, *IMAGE)
        for rule, views in KINDS
        for steps in (1, 2, 3)
    }
    found["reference networks"] = reference_networks()
    for method in METHODS:
        found[f"trained, {method}"] = trained(hypergradient=method, inner_steps=2, inner_clip=0.02)
    found["trained, image"] = trained(inner_update="image", inner_steps=2)
    found["trained, low memory"] = trained(memory="low")
    found["trained, max_normalised_sgd"] = trained(outer_update="max_normalised_sgd")
    found["trained, accumulate"] = trained(accumulate=2)
    found["trained, skip"] = trained(on_nonfinite="skip", broken=2)
    found["fitted"] = fitted(folder / "fitted")
    found["fitted, accumulate"] = fitted(folder / "accumulate", accumulate=2)
    found["with statistics"] = with_statistics(folder / "statistics")
    found["averages"] = averages()
    return found


if __name__ == "__main__":
    results = Path(sys.argv[1])
    if "RANK" in os.environ:
        dist.init_process_group("gloo")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "`torch.jit", DeprecationWarning)
        found = everything(results / f"of_{world_size()}")
    torch.save(found, results / f"{world_size()}_{rank()}.pt")
    if dist.is_initialized():
        end()
