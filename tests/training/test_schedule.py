import multiprocessing
from collections import Counter
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import metaloss
from metaloss.data import Episodes, SyntheticScenes
from metaloss.errors import ConfigError
from metaloss.networks import LossGenerator
from metaloss.runtime import files
from metaloss.training.epoch import EpochRun
from metaloss.training.schedule import Schedule

SCENES = SyntheticScenes(9, size=(32, 36))


def schedule(order, meta_steps=4, **others):
    return Schedule(episodes=Episodes(dataset=SCENES, meta_steps=meta_steps, seed=3), order=order, **others)


def learner(generator=None):
    torch.manual_seed(0)
    fusion = metaloss.Concatenated(nn.Sequential(nn.Conv2d(2, 1, 3, padding=1), nn.Sigmoid()))
    generator = generator or metaloss.Concatenated(nn.Sequential(nn.Conv2d(2, 2, 3, padding=1), nn.Softmax(1)))
    task = metaloss.ModuleTask(nn.Conv2d(1, 4, 3, padding=1), F.cross_entropy)
    return metaloss.MetaLearner(fusion=fusion, loss=metaloss.LearnableFusionLoss(generator), task=task)


def identity(batches):
    return [float(batch.sources[0].sum()) for batch in batches]


@pytest.mark.parametrize("meta_steps", [1, 4, 5, 12])
def test_interleaved_meta_steps_are_spread_evenly(meta_steps):
    phases = schedule("interleaved", meta_steps).phase_of_each(0)
    assert Counter(phases) == {"meta": meta_steps, "fusion": 5}
    share = meta_steps / len(phases)
    for done in range(len(phases) + 1):
        assert abs(phases[:done].count("meta") - share * done) <= 1, (phases, done)


def test_both_orders_have_the_same_batches():
    found = {}
    for order in ("phases", "interleaved"):
        for phase, batches in schedule(order).steps(1):
            found.setdefault((order, phase), []).append(identity(batches))
    for phase in ("meta", "fusion"):
        assert found["phases", phase] == found["interleaved", phase]
    assert len({str(pair) for pair in found["phases", "meta"]}) == 4


@pytest.mark.parametrize("order", ["phases", "interleaved"])
@pytest.mark.parametrize("skip", range(10))
def test_an_epoch_goes_on_from_any_step(order, skip):
    whole = [(phase, identity(batches)) for phase, batches in schedule(order).steps(0)]
    left = [(phase, identity(batches)) for phase, batches in schedule(order).steps(0, skip)]
    assert len(whole) == 9
    assert left == whole[skip:]


@pytest.mark.parametrize("order", ["phases", "interleaved"])
def test_loading_processes_end_with_their_phase(order):
    planned = schedule(order)
    planned = replace(planned, episodes=replace(planned.episodes, num_workers=1))
    phases = planned.phase_of_each(0)
    for number, (phase, _) in enumerate(planned.steps(0)):
        needed = {2 if each == "meta" else 1 for each in phases[number + 1 :]}
        assert len(multiprocessing.active_children()) <= sum(needed), (number, phase)
    assert not multiprocessing.active_children()


def test_warm_up_and_ablation_iv_have_one_phase():
    warm = schedule("interleaved", warmup_epochs=1)
    assert set(warm.phase_of_each(0)) == {"fusion"}
    assert set(warm.phase_of_each(1)) == {"meta", "fusion"}
    assert set(schedule("interleaved", fusion_phase=False).phase_of_each(0)) == {"meta"}


@pytest.mark.parametrize("order", ["phases", "interleaved"])
def test_each_phase_ends_once(order):
    planned = schedule(order)
    epoch = EpochRun(learner(), planned, 1)
    ends = []
    for phase, batches in epoch.steps():
        epoch.take(phase, *batches)
        if epoch.ends_phase:
            ends.append((epoch.done, phase))
    assert [phase for _, phase in sorted(ends)] == ["meta", "fusion"]
    assert ends[-1][0] == planned.length(0)


def test_fit_takes_the_steps_in_the_given_order(monkeypatch):
    taken = []
    step = metaloss.MetaLearner.step

    def watched(self, phase, *batches):
        taken.append(phase)
        return step(self, phase, *batches)

    monkeypatch.setattr(metaloss.MetaLearner, "step", watched)
    learner().fit(SCENES, epochs=1, meta_steps=4, schedule="interleaved")
    assert taken == schedule("interleaved").phase_of_each(0)
    assert taken != schedule("phases").phase_of_each(0)


def test_an_unknown_order_is_refused():
    with pytest.raises(ConfigError, match=r"schedule='interleave'.*interleaved"):
        learner().fit(SCENES, epochs=1, meta_steps=4, schedule="interleave")


def test_a_run_does_not_change_its_order(tmp_path):
    learner().fit(SCENES, epochs=1, meta_steps=2, work_dir=tmp_path)
    with pytest.raises(metaloss.CheckpointError, match="schedule: phases, now interleaved"):
        learner().fit(SCENES, epochs=2, meta_steps=2, work_dir=tmp_path, resume=True, schedule="interleaved")


def without(folder, name):
    """Takes a setting out of a run's checkpoint, as of a version that did not know it."""
    [path] = folder.glob("epoch_*.pth")
    content = files.load(path)
    del content["metaloss"]["settings"][name]
    files.save(path, content)


def test_a_run_of_a_version_without_orders_has_its_meta_steps_first(tmp_path):
    learner().fit(SCENES, epochs=1, meta_steps=2, work_dir=tmp_path)
    without(tmp_path, "schedule")
    with pytest.raises(metaloss.CheckpointError, match="schedule: phases, now interleaved"):
        learner().fit(SCENES, epochs=2, meta_steps=2, work_dir=tmp_path, resume=True, schedule="interleaved")
    assert len(learner().fit(SCENES, epochs=2, meta_steps=2, work_dir=tmp_path, resume=True)) == 2


def test_a_run_does_not_change_what_its_loss_generator_prefers(tmp_path):
    learner(LossGenerator()).fit(SCENES, epochs=1, meta_steps=1, work_dir=tmp_path)
    levelled = learner(LossGenerator(level=True))
    with pytest.raises(metaloss.CheckpointError, match=r"loss\.generator\.level: False, now True"):
        levelled.fit(SCENES, epochs=2, meta_steps=1, work_dir=tmp_path, resume=True)
    without(tmp_path, "loss.generator.level")
    with pytest.raises(metaloss.CheckpointError, match=r"loss\.generator\.level: False, now True"):
        levelled.fit(SCENES, epochs=2, meta_steps=1, work_dir=tmp_path, resume=True)


@pytest.mark.slow
@pytest.mark.parametrize(("done", "workers"), [(1, 0), (4, 2), (8, 0)])
def test_a_learner_goes_on_in_the_middle_of_an_interleaved_epoch(done, workers):
    """Bit for bit, with meta-gradients that wait for an update, statistics that move and random numbers."""

    def made():
        torch.manual_seed(0)
        fusion = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Dropout2d(0.2), nn.Conv2d(4, 1, 1))
        generator = metaloss.Concatenated(nn.Sequential(nn.Conv2d(2, 2, 3, padding=1), nn.Softmax(1)))
        found = metaloss.MetaLearner(
            fusion=metaloss.Concatenated(fusion),
            loss=metaloss.LearnableFusionLoss(generator),
            task=metaloss.ModuleTask(nn.Conv2d(1, 4, 3, padding=1), F.cross_entropy),
            accumulate=2,
            lr=1e-2,
        )
        for part in (found.fusion, found.loss, found.task):
            part.train()
        return found

    def taken(subject, until=None):
        epoch = EpochRun(subject, planned, 1)
        for phase, batches in epoch.steps():
            epoch.take(phase, *batches)
            if epoch.done == until:
                return subject.state_dict()
        return epoch.close()

    planned = schedule("interleaved")
    planned = replace(planned, episodes=replace(planned.episodes, num_workers=workers))
    whole, resumed = made(), made()
    log = taken(whole)
    resumed.load_state_dict(taken(made(), done))
    assert taken(resumed) == log
    for part in ("fusion", "loss", "task"):
        one, other = (getattr(each, part).state_dict() for each in (whole, resumed))
        assert all(torch.equal(one[key], other[key]) for key in one), part
