"""One small training by the trainer, looked at from all sides: what is validated, measured, logged and shown."""

import json
import random
import re
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import Dataset

pytest.importorskip("mmengine")

from mmengine.hooks import Hook

import metaloss
from metaloss.data import SyntheticScenes, collate
from metaloss.engine import MetaLossModel, MetaLossRunner, SpreadHook, load_config, parse_options
from metaloss.engine.hooks import PicturesHook, SummaryHook
from metaloss.runtime import files
from metaloss.tasks import task_loss

VALIDATION = SyntheticScenes(3, size=(32, 40), seed=7)


class Witness(Hook):
    """Keeps what the trainer hands to its hooks."""

    priority = "VERY_LOW"

    def __init__(self):
        self.steps, self.phases, self.validations, self.random = [], [], [], []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.steps.append((runner.epoch + 1, runner.train_loop.phase, {k: float(v) for k, v in outputs.items()}))

    def after_train_phase(self, runner, phase, means):
        self.phases.append((runner.epoch + 1, phase, means))

    def before_val(self, runner):
        self.random.append(files.random_state())

    def after_val_epoch(self, runner, metrics=None):
        self.validations.append((runner.epoch, dict(metrics)))


class Unsteady(metaloss.ModuleTask):
    """Its evaluation draws from every generator, and no evaluator scores it."""

    def __init__(self):
        super().__init__(nn.Conv2d(1, 4, 3, padding=1), F.cross_entropy)

    def predict(self, fused):
        torch.rand(1), np.random.rand(), random.random()
        return super().predict(fused)


class Blend(nn.Module):
    def __init__(self, sources=2):
        super().__init__()
        self.conv = nn.Conv2d(sources, 1, 3, padding=1)

    def forward(self, *sources):
        return self.conv(torch.cat(sources, 1)).sigmoid()


class Generator(nn.Module):
    """Weights that differ between scenes; with a bias as large as one likes."""

    def __init__(self, sources=2, bias=0.0):
        super().__init__()
        self.conv = nn.Conv2d(sources, sources, 3, padding=1)
        self.first = bias * torch.eye(sources)[0][:, None, None]

    def forward(self, *sources):
        return (self.conv(torch.cat(sources, 1)) + self.first).softmax(1)


class Three(Dataset):
    """Three sources, and no word on what they are called."""

    def __len__(self):
        return len(VALIDATION)

    def __getitem__(self, index):
        item = VALIDATION[index]
        return {**item, "sources": (*item["sources"], sum(item["sources"]) / 2)}


def trainer(folder, *, sources=2, bias=0.0, hooks=(), data=None, visualizer=None, **loop):
    torch.manual_seed(1)
    loss = metaloss.LearnableFusionLoss(Generator(sources, bias))
    model = MetaLossModel(fusion=Blend(sources), loss=loss, task=Unsteady(), inner_lr=0.1)
    return MetaLossRunner(
        model=model,
        work_dir=str(folder),
        train_dataloader={"dataset": data or SyntheticScenes(4, size=(32, 40)), "batch_size": 2},
        val_dataloader={"dataset": data or VALIDATION, "batch_size": 2},
        val_cfg={"type": "MetaLossValLoop"},
        val_evaluator={"type": "FusionMetric", "metrics": ("EN",)},
        train_cfg={"type": "MetaLossTrainLoop", "meta_steps": 2, **loop},
        optim_wrapper=load_config("tdfusion/segformer_synthetic", {"lr": 0.02}).optim_wrapper,
        custom_hooks=[*hooks],
        visualizer=visualizer,
        log_processor={"type": "MetaLossLogProcessor", "window_size": 10},
        randomness={"seed": 3},
        default_scope="metaloss",
        experiment_name=folder.name,
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A training of four epochs, validated from the third on, and everything that was seen of it."""
    folder, witness = tmp_path_factory.mktemp("loops"), Witness()
    runner = trainer(folder, hooks=[SummaryHook(), witness], max_epochs=4, warmup_epochs=1, val_begin=3)
    runner.train()
    lines = [json.loads(line) for line in next(folder.glob("*/vis_data/scalars.json")).read_text().splitlines()]
    log = next(folder.glob("*/*.log")).read_text()
    return SimpleNamespace(runner=runner, witness=witness, lines=lines, log=log, folder=folder)


def test_the_log_begins_with_what_tells_and_has_no_noise(run):
    lines = [line.partition(" - INFO - ")[2] for line in run.log.splitlines()]
    assert lines[0].startswith(f"metaloss {metaloss.__version__}, torch {torch.__version__}, Python ")
    assert lines[1].startswith("device: ")
    assert lines[1].endswith("; seed: 3")
    assert lines[2].startswith("log and scalars: ")
    noise = ("WARNING", "Hooks will be executed", "Exp name", "init_weights", "The prefix is not set")
    assert [words for words in noise if words in run.log] == []


def test_validation_begins_when_it_is_told_to(run):
    assert [epoch for epoch, _ in run.witness.validations] == [0, 3, 4]


def test_validation_means_are_over_scenes(run):
    """Three scenes in batches of two and one: a mean of the batches' means would weigh the last scene twice."""
    model = run.runner.model.eval()
    with torch.no_grad():
        batches = [collate([scene]) for scene in VALIDATION]
        fused = [model.fusion(*batch.sources) for batch in batches]
        losses = [float(task_loss(model.task, one, batch.target)) for one, batch in zip(fused, batches, strict=True)]
        weights = [float(model.loss.generator(*batch.sources)[:, 0].mean()) for batch in batches]
    metrics = run.witness.validations[-1][1]
    assert metrics["task_loss"] == pytest.approx(np.mean(losses), rel=1e-5)
    assert metrics["weight_0"] == pytest.approx(np.mean(weights), rel=1e-5)
    assert abs(np.mean([np.mean(losses[:2]), losses[2]]) - np.mean(losses)) > 1e-4 * np.mean(losses)


def test_the_weights_on_and_off_each_class_are_in_the_metrics(run):
    generator = run.runner.model.loss.generator
    on, off = [], []
    with torch.no_grad():
        for batch in (collate([scene]) for scene in VALIDATION):
            weight, ids = generator(*batch.sources)[0, 0], batch.target[0]
            if (ids == 1).any():
                on.append(weight[ids == 1])
                off.append(weight[(ids != 1) & (ids != 255)])
    metrics = run.witness.validations[-1][1]
    assert on
    assert metrics["weight/ir/on/person"] == pytest.approx(float(torch.cat(on).mean()), rel=1e-5)
    assert metrics["weight/ir/off/person"] == pytest.approx(float(torch.cat(off).mean()), rel=1e-5)


def test_validation_leaves_the_random_generators_alone(run):
    before = files.random_state()
    run.runner.val_loop.run()
    after = files.random_state()
    assert torch.equal(after["torch"], before["torch"])
    assert torch.equal(after["numpy"][1], before["numpy"][1])
    assert after["numpy"][2:] == before["numpy"][2:]
    assert after["python"] == before["python"]
    run.witness.validations.pop()


def test_the_log_has_each_validations_own_numbers(run):
    """MMEngine would show the mean of the last ten validations."""
    logged = [line for line in run.lines if "task_loss" in line]
    for line, (epoch, metrics) in zip(logged, run.witness.validations, strict=True):
        assert line["step"] == epoch
        for name in ("task_loss", "weight_0", "entropy", "fusion/EN"):
            assert line[name] == pytest.approx(metrics[name], rel=1e-6), name
    assert len({line["task_loss"] for line in logged}) == 3


def test_the_last_epoch_is_validated_and_sources_are_exchanged_only_where_asked_for(tmp_path):
    witness, orders = Witness(), []

    class Look(Hook):
        def before_train_iter(self, runner, batch_idx, data_batch=None):
            batches = data_batch if runner.train_loop.phase == "meta" else [data_batch]
            orders.extend(batch.order for batch in batches)

    trainer(tmp_path, hooks=[witness, Look()], max_epochs=3, val_interval=2, exchange=False).train()
    assert [epoch for epoch, _ in witness.validations] == [2, 3]
    assert orders == [None] * 3 * (2 * 2 + 2)


def test_the_means_of_each_phase(run):
    assert [(epoch, phase) for epoch, phase, _ in run.witness.phases] == [
        (1, "fusion"),
        *((epoch, phase) for epoch in (2, 3, 4) for phase in ("meta", "fusion")),
    ]
    logged = [line for line in run.lines if any(name.startswith("epoch/") for name in line)]
    for (epoch, phase, means), line in zip(run.witness.phases, logged, strict=True):
        steps = [values for at, of, values in run.witness.steps if (at, of) == (epoch, phase)]
        assert len(steps) == 2
        assert line["step"] == epoch
        for name, mean in means.items():
            expected = np.mean([values[f"{phase}/{name}"] for values in steps])
            assert (mean, line[f"epoch/{phase}/{name}"]) == (pytest.approx(expected, rel=1e-5), mean)
        assert f"Epoch(train) [{epoch}] means of the {phase} phase  " in run.log
    outer = [f"outer_loss: {means['outer_loss']:.4f}" for _, phase, means in run.witness.phases if phase == "meta"]
    assert len(outer) == 3
    assert all(words in run.log for words in outer)


def test_interleaved_steps_log_the_losses_of_both_phases(tmp_path):
    """Every second step is a meta step, and every tenth is logged: it is always a fusion step."""
    hooks, scenes = [Witness()], SyntheticScenes(10, size=(32, 40))
    trainer(
        tmp_path, hooks=hooks, data=scenes, max_epochs=2, meta_steps=5, warmup_epochs=1, schedule="interleaved"
    ).train()
    steps = [phase for epoch, phase, _ in hooks[0].steps if epoch == 2]
    assert steps == ["meta", "fusion"] * 5
    assert [(epoch, phase) for epoch, phase, _ in hooks[0].phases] == [(1, "fusion"), (2, "meta"), (2, "fusion")]
    lines = [json.loads(line) for line in next(tmp_path.glob("*/vis_data/scalars.json")).read_text().splitlines()]
    [_, line] = [line for line in lines if "fusion/loss" in line]
    for name in ("meta/outer_loss", "fusion/loss"):
        values = [values[name] for epoch, _, values in hooks[0].steps if name in values][-10:]
        assert line[name] == pytest.approx(np.mean(values), rel=1e-5), name
    log = next(tmp_path.glob("*/*.log")).read_text()
    assert re.search(r"Epoch\(train\) +\[2\]\[10/10\].*  fusion/loss: .*  meta/outer_loss: ", log)


def test_the_table_at_the_end(tmp_path, capsys):
    hook, witness = SummaryHook(), Witness()
    trainer(tmp_path, hooks=[hook, witness], max_epochs=3, warmup_epochs=1).train()
    rows = {
        cells[0].strip(): [cell.strip() for cell in cells[1:]]
        for line in capsys.readouterr().out.splitlines()
        if len(cells := line.strip("│\n").split("│")) == 3
    }
    first, last = witness.validations[0][1], witness.validations[-1][1]
    outer = [means["outer_loss"] for _, phase, means in witness.phases if phase == "meta"]
    assert rows["task loss"] == [f"{first['task_loss']:.4g}", f"{last['task_loss']:.4g}"]
    assert rows["mean weight of vi"] == [f"{first['weight_1']:.4g}", f"{last['weight_1']:.4g}"]
    assert rows["outer loss, mean of the first and last meta phase"] == [f"{outer[0]:.4g}", f"{outer[-1]:.4g}"]
    assert rows["task loss"][0] != rows["task loss"][1]


def test_how_far_the_weights_lie_apart_is_kept_and_changes_nothing(tmp_path):
    without = trainer(tmp_path / "without", max_epochs=2)
    without.train()
    runner = trainer(tmp_path / "with", hooks=[SpreadHook()], max_epochs=2)
    runner.train()
    for name, value in without.model.state_dict().items():
        assert torch.equal(value, runner.model.state_dict()[name]), name
    log, other = (next((tmp_path / name).glob("*/vis_data/scalars.json")) for name in ("with", "without"))
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    kept = [line for line in lines if "epoch/val/spread/ir" in line]
    assert [line["step"] for line in kept] == [1, 2]
    assert len(lines) == len(other.read_text().splitlines()) + 2
    with torch.no_grad():
        weights = [runner.model.loss.generator(*item["sources"])[0] for item in map(_batch, VALIDATION)]
    expected = np.std([each[0].double().numpy() for each in weights])
    assert kept[-1]["epoch/val/spread/ir"] == pytest.approx(expected, rel=1e-5)
    signs = np.concatenate(
        [each[1][item["target"] == 2].numpy() for each, item in zip(weights, VALIDATION, strict=True)]
    )
    assert kept[-1]["epoch/val/spread/vi/on/sign"] == pytest.approx(signs.astype(np.float64).std(), rel=1e-5)


def _batch(item):
    return {"sources": [source[None] for source in item["sources"]]}


def test_three_sources_without_names(tmp_path, capsys):
    trainer(tmp_path, sources=3, data=Three(), hooks=[PicturesHook(1), SummaryHook()], max_epochs=1).train()
    out = capsys.readouterr().out
    assert all(f"mean weight of source {k} " in out for k in range(3))
    drawn = sorted(path.stem for path in (tmp_path / "pictures" / "weights").iterdir())
    assert [name.rpartition("_")[2] for name in drawn] == ["source 0", "source 1", "source 2"]


@pytest.mark.parametrize(("bias", "warned"), [(9.0, True), (2.0, False)])
def test_weights_that_collapse_are_told(bias, warned, tmp_path):
    runner = trainer(tmp_path, bias=bias, max_epochs=1, val_begin=2, exchange=False)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        runner.train()
    collapsed = [str(each.message) for each in told if "collapsed" in str(each.message)]
    assert len(collapsed) == warned
    assert all("onto source 0" in words for words in collapsed)


def test_what_the_log_begins_with(run):
    """No table of the environment, of the config and of hooks: where all that is found."""
    beginning, _, _ = run.log.partition("Epoch(val)")
    assert len(beginning.splitlines()) < 10
    for words in (f"metaloss {metaloss.__version__}, torch {torch.__version__}", "device: ", "seed: 3", "4 training"):
        assert words in beginning
    for noise in ("message_hub", "save_param_scheduler", "FileClient", "HardDiskBackend", "Exp name", "Hooks will be"):
        assert noise not in run.log


def test_tensorboard_gets_the_numbers_and_the_pictures(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    page = Path(__file__).parents[2].joinpath("docs", "logging.md").read_text()
    option = re.findall(r"--cfg-options (loggers=\S+)", page)[0]
    config = load_config("tdfusion/segformer_synthetic", parse_options([option]))
    witness = Witness()
    hooks = [PicturesHook(1), SummaryHook(), witness]
    trainer(tmp_path, hooks=hooks, visualizer=config.visualizer, max_epochs=2).train()
    [file] = tmp_path.glob("*/vis_data/*tfevents*")
    found = EventAccumulator(str(file))
    found.Reload()
    outer = [(scalar.step, scalar.value) for scalar in found.Scalars("epoch/meta/outer_loss")]
    expected = [(epoch, means["outer_loss"]) for epoch, phase, means in witness.phases if phase == "meta"]
    assert outer == [(epoch, pytest.approx(value, rel=1e-5)) for epoch, value in expected]
    assert {"task_loss", "weight_0", "fusion/EN", "fusion/loss"} <= set(found.Tags()["scalars"])
    assert found.Tags()["images"] == [f"val_{VALIDATION[0]['names']}"]


def test_each_scene_is_shown_with_its_own_weights(run):
    hook = PicturesHook(count=3)
    hook.before_val_epoch(run.runner)
    model = run.runner.model.eval()
    for start in (0, 2):
        batch = collate([VALIDATION[index] for index in range(start, min(start + 2, 3))])
        outputs = model.val_step(batch)
        with torch.no_grad():
            for output, weights in zip(outputs, model.loss.generator(*batch.sources), strict=True):
                output["weights"] = weights
        hook.after_val_iter(run.runner, 0, batch, outputs)
    assert [scene.name for scene in hook.scenes] == [VALIDATION[index]["names"] for index in range(3)]
    for index, scene in enumerate(hook.scenes):
        item = VALIDATION[index]
        assert all(torch.equal(*pair) for pair in zip(scene.sources, item["sources"], strict=True))
        assert torch.equal(scene.chroma, item["chroma"])
        with torch.no_grad():
            alone = model.loss.generator(*(source[None] for source in item["sources"]))[0]
        torch.testing.assert_close(scene.weights, alone)
        assert not torch.allclose(scene.weights, hook.scenes[index - 1].weights, atol=1e-3)


def test_the_trainer_hands_each_scene_its_own_weights(run):
    seen = []

    class Look(Hook):
        def after_val_iter(self, runner, batch_idx, data_batch=None, outputs=None):
            seen.extend(zip(data_batch.names, (output["weights"] for output in outputs), strict=True))

    run.runner.register_hook(Look())
    run.runner.val_loop.run()
    run.runner.hooks.pop(next(k for k, hook in enumerate(run.runner.hooks) if isinstance(hook, Look)))
    run.witness.validations.pop()
    assert len(seen) == 3
    for (name, weights), item in zip(seen, VALIDATION, strict=True):
        with torch.no_grad():
            alone = run.runner.model.loss.generator(*(source[None] for source in item["sources"]))[0]
        assert name == item["names"]
        torch.testing.assert_close(weights, alone)
