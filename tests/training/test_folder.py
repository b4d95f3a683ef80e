"""Whose run a folder holds, and which of its checkpoints stay."""

import pytest
import torch
from toys import BatchNormNet, DropoutNet, Scenes, held, learner, same

import metaloss
from metaloss.runtime import files
from metaloss.training.changes import changes


def fresh(network=DropoutNet, **settings):
    torch.manual_seed(3)
    return learner(network(), **settings)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_used_folder_is_refused_with_the_ways_out(tmp_path):
    fresh().fit(Scenes(4), epochs=3, meta_steps=0, work_dir=tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    subject = fresh()
    start = held(subject.fusion, subject.task)
    with pytest.raises(metaloss.ConfigError, match=r"up to epoch_3\.pth: .*resume=True.*folder.*overwrite=True"):
        subject.fit(Scenes(4), epochs=2, meta_steps=0, work_dir=tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert same(held(subject.fusion, subject.task), start)


def test_overwriting_leaves_nothing_of_the_run_before(tmp_path):
    fresh().fit(Scenes(4), epochs=5, meta_steps=0, work_dir=tmp_path, save_best="task_loss")
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "best_of_all.pth").write_bytes(b"mine, too")
    log = fresh(lr=1e-2).fit(Scenes(4), epochs=2, meta_steps=0, work_dir=tmp_path, overwrite=True)
    assert names(tmp_path) == ["best_of_all.pth", "epoch_1.pth", "epoch_2.pth", "notes.txt"]
    resumed = fresh(lr=1e-2).fit(Scenes(4), epochs=3, meta_steps=0, work_dir=tmp_path, resume=True)
    assert resumed[:2] == log
    with pytest.raises(metaloss.DataError):  # what cannot begin removes nothing
        fresh().fit(Scenes(1), epochs=2, meta_steps=1, work_dir=tmp_path, overwrite=True)
    assert "epoch_3.pth" in names(tmp_path)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"resume": True, "overwrite": True}, "choose whether"),
        ({"overwrite": True, "work_dir": None}, r"fit\(overwrite=True\) needs work_dir"),
        ({"keep": 0}, r"fit\(keep=0\): expected a whole number of at least 1"),
        ({"keep": -1}, r"fit\(keep=-1\)"),
    ],
)
def test_options_that_contradict_each_other(tmp_path, settings, reason):
    with pytest.raises(metaloss.ConfigError, match=reason):
        fresh().fit(Scenes(4), **{"epochs": 1, "meta_steps": 0, "work_dir": tmp_path / "x", **settings})
    assert not (tmp_path / "x").exists()


CHANGED = {
    "more data": ({"dataset": Scenes(6)}, r"the data's items: 4, now 6"),
    "batch size": ({"batch_size": 1}, "batch_size: 2, now 1"),
    "crop": ({"fusion_crop": 4}, r"fusion_crop: None, now \[4, 4\]"),
    "task size": ({"task_size": (6, 6)}, r"task_size: None, now \[6, 6\]"),
    "meta steps": ({"meta_steps": 2}, "meta_steps: 1, now 2"),
    "warm-up": ({"warmup_epochs": 1}, "warmup_epochs: 0, now 1"),
    "exchange": ({"exchange": False}, "exchange: True, now False"),
    "learner": ({"learner": {"inner_lr": 0.25}}, r"inner_lr: \[0.5, 0.5\], now \[0.25, 0.25\]"),
    "two": ({"batch_size": 4, "meta_steps": 5}, "batch_size: 2, now 4; meta_steps: 1, now 5"),
}


@pytest.mark.parametrize(("changed", "reason"), CHANGED.values(), ids=CHANGED)
def test_other_data_or_settings_are_listed_and_refused_unless_allowed(tmp_path, capfd, changed, reason):
    def run(epochs, dataset=None, learner=None, **settings):
        subject = fresh(inner_lr=0.5) if learner is None else fresh(**learner)
        start = held(subject.fusion, subject.loss, subject.task)
        try:
            subject.fit(
                dataset or Scenes(4),
                **{"epochs": epochs, "meta_steps": 1, "work_dir": tmp_path, **settings},
                resume=True,
            )
        except metaloss.CheckpointError:
            assert same(held(subject.fusion, subject.loss, subject.task), start)
            assert subject.progress["epoch"] == 0
            raise
        return subject

    run(1)
    run(2)  # longer is no other run
    with pytest.raises(metaloss.CheckpointError, match=rf"epoch_2\.pth: .*{reason}.*allow_changes=True"):
        run(3, **changed)
    assert names(tmp_path) == ["epoch_1.pth", "epoch_2.pth"]
    capfd.readouterr()
    assert run(3, **changed, allow_changes=True).progress["epoch"] == 3
    assert "changed since the checkpoint" in capfd.readouterr().err


def test_files_of_another_size_or_name_are_other_data(tmp_path):
    scenes = metaloss.data.SyntheticScenes(4, size=(32, 32))
    metaloss.data.write_scenes(tmp_path / "data", scenes)
    prints = [metaloss.data.fingerprint(metaloss.data.PairedDataset(tmp_path / "data", classes=4))]
    (tmp_path / "data").rename(tmp_path / "elsewhere")
    prints.append(metaloss.data.fingerprint(metaloss.data.PairedDataset(tmp_path / "elsewhere", classes=4)))
    assert prints[0] == prints[1]
    assert {"items", "classes", "sources", "names", "files"} == prints[0].keys()
    image = next((tmp_path / "elsewhere" / "ir").iterdir())
    image.write_bytes(image.read_bytes() + b"\0")
    prints.append(metaloss.data.fingerprint(metaloss.data.PairedDataset(tmp_path / "elsewhere", classes=4)))
    assert [name for name in prints[0] if prints[0][name] != prints[2][name]] == ["files"]


@pytest.mark.parametrize(("keep", "left"), [(3, [4, 5, 6]), (1, [6]), (None, [1, 2, 3, 4, 5, 6])])
def test_old_files_are_pruned(tmp_path, keep, left):
    fresh().fit(Scenes(4), epochs=6, meta_steps=0, work_dir=tmp_path, keep=keep)
    assert names(tmp_path) == [f"epoch_{epoch}.pth" for epoch in left]


@pytest.mark.parametrize(("metric", "best"), [("task_loss", 2), ("mIoU", 3)])
def test_the_best_epoch_stays(tmp_path, metric, best):
    values = {"task_loss": [3, 1, 2, 1, 4, 5], "mIoU": [3, float("nan"), 7, 7, 4, 5]}[metric]

    def score(learner, log):
        log[metric] = values[log["epoch"] - 1]

    settings = {"meta_steps": 0, "work_dir": tmp_path, "keep": 1, "save_best": metric, "callbacks": [score]}
    fresh().fit(Scenes(4), epochs=4, **settings)
    log = fresh().fit(Scenes(4), epochs=6, **settings, resume=True)
    assert [each[metric] for each in log] == pytest.approx(values, nan_ok=True)
    assert names(tmp_path) == [f"best_{metric}_epoch_{best}.pth", "epoch_6.pth"]
    assert files.load(tmp_path / f"best_{metric}_epoch_{best}.pth")["progress"]["epoch"] == best


def test_a_best_value_that_no_epoch_has(tmp_path):
    with pytest.raises(metaloss.ConfigError, match=r"save_best='task_los'.*did you mean 'task_loss'"):
        fresh().fit(Scenes(4), epochs=1, meta_steps=0, work_dir=tmp_path, save_best="task_los")


def test_what_wrote_a_checkpoint_is_in_it(tmp_path):
    fresh(BatchNormNet).fit(Scenes(4), epochs=1, meta_steps=1, work_dir=tmp_path)
    content = files.load(tmp_path / "epoch_1.pth")
    assert content["metaloss"]["versions"]["torch"] == torch.__version__
    assert content["metaloss"]["settings"]["meta_steps"] == 1
    assert content["metaloss"]["data"]["items"] == 4
    assert content["progress"]["epoch"] == 1
    assert content["progress"]["seed"] is not None


def test_a_line_for_each_epoch_where_no_bar_is_shown(capfd):
    fresh().fit(Scenes(4), epochs=2, meta_steps=1)
    first, second = capfd.readouterr().err.splitlines()
    assert first.startswith("epoch 1/2: ")
    assert second.startswith("epoch 2/2: ")
    assert all(f"{name} " in first for name in ("outer_loss", "task_loss", "weight_0", "entropy"))


def test_a_scheduler_that_wants_a_metric_is_refused(tmp_path):
    optimizer = torch.optim.Adam([torch.zeros(1, requires_grad=True)])
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer)
    with pytest.raises(metaloss.ConfigError, match=r"ReduceLROnPlateau.*callback"):
        fresh(schedulers=[plateau]).fit(Scenes(4), epochs=1, meta_steps=0, work_dir=tmp_path / "x")
    assert not (tmp_path / "x").exists()


@pytest.mark.filterwarnings("error")
def test_the_rate_of_the_loss_waits_for_its_first_step():
    subject = fresh()
    optimizer = torch.optim.Adam(subject.loss.parameters(), lr=1.0)
    subject.use_optimizer("loss", optimizer)
    subject.schedulers = [torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)]
    subject.fit(Scenes(4), epochs=3, meta_steps=1, warmup_epochs=2)
    assert optimizer.param_groups[0]["lr"] == 0.5


def test_ids_that_do_not_count_make_other_data(tmp_path):
    metaloss.data.write_scenes(tmp_path, metaloss.data.SyntheticScenes(4, size=(32, 32)))
    options = [{"classes": 4}, {"classes": 4, "ignore": (0, 255)}, {"classes": 2, "others": "drop"}]
    prints = [metaloss.data.fingerprint(metaloss.data.PairedDataset(tmp_path, **each)) for each in options]
    assert [(each.get("ignore"), each.get("others")) for each in prints] == [
        (None, None),
        ([0, 255], None),
        (None, "drop"),
    ]
    assert changes({"data": prints[0]}, {"settings": {}, "data": prints[1]}) == [
        "the data's ignore: [255], now [0, 255]"
    ]
    assert changes({"data": prints[1]}, {"settings": {}, "data": prints[0]}) == [
        "the data's ignore: [0, 255], now [255]"
    ]
    assert "the data's others: error, now drop" in changes({"data": prints[0]}, {"settings": {}, "data": prints[2]})
    unlabelled = metaloss.data.PairedDataset(tmp_path, target=None, ignore=7)
    assert "ignore" not in metaloss.data.fingerprint(unlabelled)
