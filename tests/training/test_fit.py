import copy
import warnings
from contextlib import contextmanager

import pytest
import torch
from torch import nn
from toys import BatchNormNet, DropoutNet, Scenes, TinyGenerator, held, learner, same

import metaloss
from metaloss.plugins import load_fusion
from metaloss.runtime import files
from metaloss.training import fit
from metaloss.training.epoch import warn_of_collapse


def fitted(subject=None, *, seed=3, dataset=None, **settings):
    torch.manual_seed(seed)
    subject = subject or learner(DropoutNet())
    log = subject.fit(dataset or Scenes(6), **{"epochs": 2, "meta_steps": 2, **settings})
    return log, held(subject.fusion, subject.loss, subject.task)


class Recording(metaloss.MetaLearner):
    """Remembers which scenes each step saw."""

    def meta_step(self, meta_train, meta_test):
        self.seen.append(("meta", set(meta_train.names), set(meta_test.names)))
        return super().meta_step(meta_train, meta_test)

    def fusion_step(self, batch):
        self.seen.append(("fusion", set(batch.names)))
        return super().fusion_step(batch)


def recording(**parts):
    plain = learner(**parts)
    subject = Recording(fusion=plain.fusion, loss=plain.loss, task=plain.task, inner_lr=0.5)
    subject.seen = []
    return subject


def test_algorithm_1():
    subject = recording()
    log = subject.fit(Scenes(7), epochs=3, meta_steps=4, warmup_epochs=1)
    kinds = [kind for kind, *_ in subject.seen]
    assert kinds == ["fusion"] * 4 + (["meta"] * 4 + ["fusion"] * 4) * 2
    for start in (4, 12):
        epoch = subject.seen[start : start + 8]
        train, test = (set().union(*(step[place] for step in epoch[:4])) for place in (1, 2))
        assert not train & test
        assert len(train | test) == 7
        assert len(set().union(*(step[1] for step in epoch[4:]))) == 7
    assert [each["epoch"] for each in log] == [1, 2, 3]
    assert "outer_loss" not in log[0]
    assert {"outer_loss", "loss", "task_loss", "weight_0", "weight_1", "entropy"} < set(log[1])
    assert all(isinstance(value, (int, float)) for each in log for value in each.values())


def test_the_bar_counts_what_is_left_of_the_whole_run(monkeypatch, tmp_path):
    bars, notes = [], []

    @contextmanager
    def bar(label, total):
        bars.append((label, total))
        yield notes.append

    monkeypatch.setattr(fit, "progress_bar", bar)
    settings = {"meta_steps": 4, "warmup_epochs": 1, "work_dir": tmp_path, "resume": True}
    recording().fit(Scenes(7), epochs=2, **settings)
    assert bars.pop() == ("training", len(notes)) == ("training", 4 + 8)
    notes.clear()
    log = recording().fit(Scenes(7), epochs=4, **settings)
    assert bars == [("training", len(notes))] == [("training", 8 + 8)]
    assert notes[0].startswith("epoch 3/4, meta phase, outer loss ")
    assert notes[-1].startswith("epoch 4/4, fusion phase, loss ")
    shown = [float(note.split()[-1]) for note in notes[-4:]]
    assert sum(shown) / 4 == pytest.approx(log[-1]["loss"], abs=1e-3)


def test_uniform_weights_leave_the_meta_steps_out():
    subject = recording(loss=metaloss.LearnableFusionLoss(weights="uniform"))
    log = subject.fit(Scenes(4), epochs=1, meta_steps=5)
    assert [kind for kind, *_ in subject.seen] == ["fusion"] * 2
    assert log[0]["weight_0"] == log[0]["weight_1"] == 0.5


def test_the_losses_fall():
    subject = learner(lr=2e-2)
    log = subject.fit(Scenes(6), epochs=12, meta_steps=1)
    assert log[-1]["loss"] < log[0]["loss"]
    assert log[-1]["task_loss"] < log[0]["task_loss"]


@pytest.mark.slow
def test_one_seed_gives_one_result_with_and_without_workers():
    settings = {"dataset": Scenes(6, size=(12, 12)), "fusion_crop": (6, 6)}
    log, networks = fitted(**settings)
    again, same_networks = fitted(**settings)
    assert again == log
    assert same(same_networks, networks)
    helped, same_networks = fitted(**settings, num_workers=2)
    assert helped == log
    assert same(same_networks, networks)
    other, _ = fitted(**settings, seed=4)
    assert other != log


def fresh(network=DropoutNet):
    """The same learner each time, as a script makes it when it is started again."""
    torch.manual_seed(3)
    return learner(network(), accumulate=2)


@pytest.mark.parametrize("after", [1, 2])
def test_resumed_equals_uninterrupted(tmp_path, after):
    settings = {"meta_steps": 3, "warmup_epochs": 1, "fusion_crop": 6}
    whole = fresh()
    log = whole.fit(Scenes(6), epochs=3, **settings)
    part = fresh()
    assert part.fit(Scenes(6), epochs=after, work_dir=tmp_path, resume=True, **settings) == log[:after]
    torch.manual_seed(1234)
    again = learner(DropoutNet(), accumulate=2)
    assert again.fit(Scenes(6), epochs=3, work_dir=tmp_path, resume=True, **settings) == log
    names = ("fusion", "loss", "task")
    results = [
        held(*(getattr(each, name) for name in names), optimizers=[each.optimizer(name) for name in names])
        for each in (again, whole)
    ]
    assert same(*results)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["epoch_1.pth", "epoch_2.pth", "epoch_3.pth"]


def test_resume_takes_the_newest_and_stops_where_it_is_done(tmp_path):
    subject = fresh()
    log = subject.fit(Scenes(4), epochs=11, meta_steps=0, work_dir=tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {f"epoch_{epoch}.pth" for epoch in (9, 10, 11)}
    (tmp_path / ".epoch_12.pth.77.partial").write_bytes(b"half")
    (tmp_path / "epoch_x.pth").write_bytes(b"not ours")
    again = learner(DropoutNet(), accumulate=2)
    assert again.fit(Scenes(4), epochs=11, meta_steps=0, work_dir=tmp_path, resume=True) == log
    assert same(held(again.fusion, again.task), held(subject.fusion, subject.task))


def test_a_checkpoint_of_another_network_is_refused_with_nothing_changed(tmp_path):
    fresh().fit(Scenes(4), epochs=1, meta_steps=1, work_dir=tmp_path)
    other = fresh(BatchNormNet)
    before = held(other.fusion, other.loss, other.task)
    with pytest.raises(metaloss.CheckpointError, match=r"epoch_1\.pth: .*not this BatchNormNet") as caught:
        other.fit(Scenes(4), epochs=2, meta_steps=1, work_dir=tmp_path, resume=True)
    assert "\n" not in str(caught.value)
    assert same(held(other.fusion, other.loss, other.task), before)
    assert other.progress["epoch"] == 0
    (tmp_path / "epoch_1.pth").write_bytes(b"damaged")
    with pytest.raises(metaloss.CheckpointError, match=r"epoch_1\.pth: "):
        fresh().fit(Scenes(4), epochs=2, meta_steps=1, work_dir=tmp_path, resume=True)
    assert [path.name for path in tmp_path.iterdir()] == ["epoch_1.pth"]


def test_flags_come_back_and_every_part_trains():
    subject = learner(BatchNormNet())
    subject.fusion.norm.eval()
    flags = {name: module.training for name, module in subject.fusion.named_modules()}
    subject.loss.eval()
    modes = []

    def look(learner, log):
        modes.append((learner.fusion.norm.training, learner.loss.training))

    before = held(subject.fusion, subject.loss, subject.task)
    subject.fit(Scenes(4), epochs=1, meta_steps=1, callbacks=[look])
    assert modes == [(True, True)]
    assert {name: module.training for name, module in subject.fusion.named_modules()} == flags
    assert not subject.loss.training
    after = held(subject.fusion, subject.loss, subject.task)
    for old, new in zip(before, after, strict=True):
        assert not any(torch.equal(old[0][name], new[0][name]) for name in old[0])


def test_callbacks_are_called_after_each_epoch_with_its_log():
    seen = []
    subject = learner()
    log = subject.fit(Scenes(4), epochs=2, meta_steps=1, callbacks=[lambda *given: seen.append(given)])
    assert [given[0] is subject for given in seen] == [True, True]
    assert [given[1] for given in seen] == log


def test_images_of_different_sizes():
    dataset = Scenes(6, size=(8, 8), other=(12, 10))
    with pytest.raises(metaloss.ShapeError, match="set task_size"):
        fitted(dataset=dataset, batch_size=3)
    log, _ = fitted(dataset=dataset, batch_size=3, task_size=(6, 7), fusion_crop=(7, 5))
    assert len(log) == 2
    log, _ = fitted(dataset=dataset, batch_size=1)
    assert len(log) == 2


def test_a_collapse_of_the_weights_is_told():
    class OneSided(TinyGenerator):
        def forward(self, *sources):
            first = (super().forward(*sources)[:, :1] * 0.001) + 0.995
            return torch.cat([first, 1 - first], 1)

    subject = learner(loss=metaloss.LearnableFusionLoss(OneSided()))
    with pytest.warns(UserWarning, match=r"collapsed onto source 0 \(mean 0\.99") as caught:
        subject.fit(Scenes(4), epochs=1, meta_steps=1, exchange=False)
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        learner().fit(Scenes(4), epochs=1, meta_steps=1)


@pytest.mark.parametrize(("mean", "told"), [(0.975, 0), (0.985, 1)])
def test_from_which_mean_on_the_weights_have_collapsed(mean, told):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn_of_collapse({"weight_0": 1 - mean, "weight_1": mean, "entropy": 0.1, "weight_sum": 1.0})
    assert len(caught) == told
    assert all(f"onto source 1 (mean {mean}" in str(each.message) for each in caught)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": -1}, "epochs=-1"),
        ({"meta_steps": 1.5}, r"meta_steps=1\.5"),
        ({"batch_size": 0}, r"batch_size=0\): expected a whole number of at least 1"),
        ({"warmup_epochs": None}, "warmup_epochs=None"),
        ({"num_workers": -1}, "num_workers=-1"),
        ({"resume": True}, "needs work_dir"),
        ({"fusion_crop": 0}, "size 0"),
        ({"task_size": (1, 2, 3)}, r"size \(1, 2, 3\)"),
    ],
)
def test_settings_out_of_their_range(settings, message):
    with pytest.raises(metaloss.ConfigError, match=message):
        fitted(**settings)


def test_data_that_does_not_do():
    with pytest.raises(metaloss.DataError, match="at least two"):
        fitted(dataset=Scenes(1))
    with pytest.raises(metaloss.DataError, match=r"scene\d is 8x8 pixels: a fusion crop of 9x9"):
        fitted(fusion_crop=9)


def test_an_error_leaves_only_whole_checkpoints(tmp_path):
    class Failing(nn.Module):
        def __init__(self, task):
            super().__init__()
            self.task, self.calls = task, 0

        def forward(self, fused, target):
            self.calls += 1
            if self.calls > 14:
                raise LookupError("out of labels")
            return self.task(fused, target)

    subject = learner(task=Failing(learner().task))
    with pytest.raises(LookupError):
        subject.fit(Scenes(6), epochs=9, meta_steps=2, work_dir=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["epoch_1.pth", "epoch_2.pth"]


def test_a_checkpoint_names_its_fusion_network(tmp_path):
    network = metaloss.build_fusion("refusion")
    task = metaloss.ModuleTask(nn.Conv2d(1, 3, 1), nn.functional.cross_entropy)
    subject = learner(network, task=task)
    subject.fit(Scenes(2), epochs=1, meta_steps=1, work_dir=tmp_path)
    rebuilt = load_fusion(tmp_path / "epoch_1.pth")
    assert same(rebuilt.state_dict(), network.state_dict())
    assert not rebuilt.training
    learner().fit(Scenes(2), epochs=1, meta_steps=0, work_dir=tmp_path / "plain")
    with pytest.raises(metaloss.CheckpointError, match=r"PlainNet was not built by name"):
        load_fusion(tmp_path / "plain" / "epoch_1.pth")


def ramped():
    return metaloss.LearnableFusionLoss(TinyGenerator(), alpha=0.6, alpha_ramp=True)


def factors():
    """A callback that looks at the factor of the gradient term, and what it has seen."""
    seen = []

    def look(learner, log):
        fused, *sources = torch.linspace(0, 1, 192).sin().view(3, 1, 1, 8, 8)  # draws nothing
        with torch.no_grad():
            terms = learner.loss(fused, sources)
        seen.append(float((terms.total - terms.intensity) / terms.gradient))

    return seen, [look]


def test_the_gradient_terms_factor_grows_epoch_by_epoch_also_after_a_resume(tmp_path):
    settings = {"meta_steps": 1, "work_dir": tmp_path, "epochs": 4}
    seen, look = factors()
    subject = learner(DropoutNet(), loss=ramped())
    log = subject.fit(Scenes(4), **settings, callbacks=look)
    assert seen == pytest.approx([0, 0.2, 0.4, 0.6], abs=1e-4)
    for epoch in (3, 4):
        (tmp_path / f"epoch_{epoch}.pth").unlink()
    seen, look = factors()
    again = learner(DropoutNet(), loss=ramped())
    assert again.fit(Scenes(4), **settings, resume=True, callbacks=look) == log
    assert seen == pytest.approx([0.4, 0.6], abs=1e-4)


def test_a_loss_of_ones_own_is_told_the_epoch():
    class Counting(metaloss.LearnableFusionLoss):
        def at_epoch(self, epoch, epochs):
            told.append((epoch, epochs))

    told = []
    learner(loss=Counting(TinyGenerator())).fit(Scenes(4), epochs=2, meta_steps=1)
    assert told == [(0, 2), (1, 2)]


def whole_and_damaged(folder, damage):
    """Three epochs, the newest of which is damaged."""
    subject = fresh()
    log = subject.fit(Scenes(4), epochs=3, meta_steps=1, work_dir=folder)
    damage(folder / "epoch_3.pth")
    return log


def truncate(path):
    path.write_bytes(path.read_bytes()[:-100])


def zero(path):
    path.write_bytes(b"\0" * path.stat().st_size)


def empty(path):
    path.write_bytes(b"")


def flip(path):
    """Flips one bit of a weight; the padding between the parts of a file would not matter."""
    content = bytearray(path.read_bytes())
    weight = files.load(path)["fusion"]["head.weight"]
    content[content.index(weight.numpy().tobytes())] ^= 0x10
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [truncate, zero, empty, flip])
def test_a_damaged_newest_checkpoint_is_named_and_the_one_before_it_taken(tmp_path, damage):
    log = whole_and_damaged(tmp_path, damage)
    again = fresh()
    with pytest.warns(UserWarning, match=r"epoch_3\.pth: .*; going on from .*epoch_2\.pth"):
        assert again.fit(Scenes(4), epochs=3, meta_steps=1, work_dir=tmp_path, resume=True) == log


def test_nothing_but_damaged_checkpoints(tmp_path):
    fresh().fit(Scenes(4), epochs=1, meta_steps=1, work_dir=tmp_path)
    empty(tmp_path / "epoch_1.pth")
    with pytest.raises(metaloss.CheckpointError, match=r"epoch_1\.pth: .*remove it to start again"):
        fresh().fit(Scenes(4), epochs=1, meta_steps=1, work_dir=tmp_path, resume=True)


def test_a_folder_belongs_to_one_run_at_a_time(tmp_path):
    def another(learner, log):
        with pytest.raises(metaloss.ConfigError, match="another run is training there"):
            fresh().fit(Scenes(4), epochs=1, meta_steps=0, work_dir=tmp_path)

    fresh().fit(Scenes(4), epochs=1, meta_steps=0, work_dir=tmp_path, callbacks=[another])
    fresh().fit(Scenes(4), epochs=1, meta_steps=0, work_dir=tmp_path, resume=True)
    with pytest.raises(metaloss.DataError):
        fresh().fit(Scenes(1), epochs=1, meta_steps=1, work_dir=tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_what_callbacks_draw_belongs_to_the_epoch(tmp_path):
    def drawing(learner, log):
        torch.rand(3)

    whole, part, again = fresh(), fresh(), fresh()
    settings = {"meta_steps": 1, "callbacks": [drawing]}
    torch.manual_seed(4)
    log = whole.fit(Scenes(4), epochs=2, **settings)
    torch.manual_seed(4)
    part.fit(Scenes(4), epochs=1, work_dir=tmp_path, **settings)
    torch.manual_seed(99)
    assert again.fit(Scenes(4), epochs=2, work_dir=tmp_path, resume=True, **settings) == log


@pytest.mark.parametrize(
    "broken",
    [
        lambda state: state["pending"].clear(),
        lambda state: state["optimizers"]["fusion"]["state"][0].update(exp_avg="none"),
        lambda state: state["random"].update(torch=torch.zeros(3)),
        lambda state: state["random"].pop("numpy"),
        lambda state: state["progress"].pop("log"),
        lambda state: state["optimizers"].update(other=None),
    ],
)
def test_loading_is_all_or_nothing(tmp_path, broken):
    subject = fresh()
    subject.fit(Scenes(4), epochs=1, meta_steps=1)
    state = copy.deepcopy(subject.state_dict())
    broken(state)
    other = fresh()
    other.fit(Scenes(4), epochs=1, meta_steps=1)
    before = copy.deepcopy(other.state_dict())
    with pytest.raises(metaloss.CheckpointError, match=r"cannot be taken up|lacks|has not its shape"):
        other.load_state_dict(state)
    assert same(before, other.state_dict())
