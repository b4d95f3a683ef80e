import json
import math
import re
import shlex
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from benchmarks import learned_vs_uniform, sensitivity
from benchmarks.evidence import pages, problems, runs
from benchmarks.evidence.arguments import parser, run_command, seeds_from, settings_of
from benchmarks.evidence.crops import Crops
from benchmarks.evidence.differences import difference, paired
from benchmarks.evidence.judging import fused_image, judge, simple_images
from benchmarks.evidence.problems import load
from benchmarks.evidence.rows import ROWS
from benchmarks.evidence.runs import RESULTS, Folders, Run, execute, seeds_of
from benchmarks.evidence.settings import Settings
from benchmarks.evidence.tasks import Detection
from benchmarks.evidence.training import GENERATORS, make_learner, region_means, train, weight_history
from metaloss import MetaLearner
from metaloss.errors import ConfigError, DataError
from metaloss.evaluation.results import write_result
from metaloss.runtime import files

SHORT = ["--epochs", "2", "--warmup", "1", "--meta-steps", "1", "--crops", "4", "--task-epochs", "1"]
KINDS = ("person", "sign", "car")


@pytest.fixture
def settings():
    return Settings(
        data="synthetic", alpha=0.0, weights="learned", seed=0, epochs=2, warmup=1, meta_steps=1, crops=4, task_epochs=1
    )


def folders(place):
    return Folders(place / "results", place / "work")


@pytest.mark.slow
def test_learned_and_uniform_start_alike(settings):
    problem = load("synthetic")
    learned, uniform = (make_learner(replace(settings, weights=weights), problem) for weights in ("learned", "uniform"))
    for part in ("fusion", "task"):
        for one, other in zip(getattr(learned, part).parameters(), getattr(uniform, part).parameters(), strict=True):
            assert torch.equal(one, other)
    assert not uniform.learns_loss


@pytest.mark.slow
def test_learned_and_uniform_see_the_same_batches(settings, tmp_path, monkeypatch):
    seen = {}
    from metaloss import MetaLearner

    plain = MetaLearner.fusion_step
    for weights in ("learned", "uniform"):
        sums = seen.setdefault(weights, [])

        def watched(self, batch, sums=sums):
            sums.append(float(batch.sources[0].sum()))
            return plain(self, batch)

        monkeypatch.setattr(MetaLearner, "fusion_step", watched)
        train(replace(settings, weights=weights), tmp_path / weights)
    assert len(seen["learned"]) == 2 * settings.crops / 2
    assert seen["learned"] == seen["uniform"]


@pytest.mark.slow
def test_a_stopped_run_ends_with_the_same_result(settings, tmp_path):
    whole = train(settings, tmp_path / "whole")
    train(replace(settings, epochs=1), tmp_path / "stopped")
    resumed = train(settings, tmp_path / "stopped")
    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, other)
    assert weight_history(settings, tmp_path / "whole") == weight_history(settings, tmp_path / "stopped")


def test_region_means_by_hand():
    problem = load("synthetic")

    class Fixed(torch.nn.Module):
        def forward(self, ir, vi):
            return torch.cat([ir, 1 - ir], dim=1)

    means = region_means(problem, Fixed())
    ir = torch.cat([scene["sources"][0].flatten() for scene in problem.scored])
    person = torch.cat([(scene["target"] == 1).flatten() for scene in problem.scored])
    assert means["ir"] == pytest.approx(float(ir.double().mean()), rel=1e-5)
    assert means["ir on persons"] == pytest.approx(float(ir[person].double().mean()), rel=1e-5)
    assert means["vi off persons"] == pytest.approx(1 - float(ir[~person].double().mean()), rel=1e-5)


def test_crops_are_the_same_for_one_seed_and_lie_inside():
    scenes = load("synthetic").train[:3]
    one, other, third = (Crops(scenes, 7, (32, 40), seed) for seed in (1, 1, 2))
    assert len(one) == 7
    for index in range(7):
        assert one[index]["sources"][0].shape == (1, 32, 40)
        assert one[index]["target"].shape == (32, 40)
        assert torch.equal(one[index]["sources"][1], other[index]["sources"][1])
    assert one.places != third.places


def test_differences():
    values = {"a": {0: {"m": 3.0}, 1: {"m": 5.0}}, "b": {0: {"m": 2.0}, 1: {"m": 2.0}}}
    found = paired(values, "a", "b", "m")
    assert found.mean == 2
    assert found.error == pytest.approx(1.0)
    assert found.errors == pytest.approx(2.0)
    assert math.isnan(difference([1.0]).error)
    assert difference([1.0]).cells(2) == ["+1.00", "-", "-", "1"]
    assert math.isnan(difference([0.0, 0.0]).errors)
    assert difference([-1.0, -1.0]).errors == -math.inf


def test_right_detections_have_full_marks():
    truth = [{"boxes": torch.tensor([[4.0, 4.0, 20.0, 30.0]]), "labels": torch.tensor([1])}]
    score = Detection(("person", "bicycle")).evaluator()
    score.update([{**truth[0], "scores": torch.tensor([0.9])}], truth)
    assert score.compute() == pytest.approx({"mAP50": 100.0, "mAP": 100.0})


@pytest.mark.slow
def test_a_judge_sees_what_is_in_the_images(settings):
    """Signs cannot be found where only the infrared image is shown."""
    longer = replace(settings, crops=200, task_epochs=2)
    images = simple_images(load("synthetic"))
    assert judge(longer, images["ir"])["IoU sign"] < 1
    assert judge(longer, images["vi"])["IoU sign"] > 10


@pytest.mark.slow
def test_a_stopped_judge_ends_with_the_same_scores(settings, tmp_path, monkeypatch):
    longer = replace(settings, crops=60, task_epochs=3)
    image = simple_images(load("synthetic"))["average"]
    whole = judge(longer, image)
    save, saved = files.save, []

    def stopping(path, content):
        save(path, content)
        saved.append(content["optimizer"]["param_groups"][0]["lr"])
        if len(saved) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(files, "save", stopping)
    with pytest.raises(KeyboardInterrupt):
        judge(longer, image, tmp_path / "judge.pth")
    assert judge(longer, image, tmp_path / "judge.pth") == whole
    assert saved == pytest.approx([2e-3, 2e-3 * 2 / 3, 2e-3 / 3])


@pytest.mark.slow
def test_a_finished_run_is_taken_up(settings, tmp_path):
    study = seeds_of("learned", settings, folders(tmp_path), range(2))
    values = execute(study, 2)
    assert values["learned"].keys() == {0, 1}
    stamps = [run.result.stat().st_mtime_ns for run in study]
    assert execute(study, 2) == values
    assert [run.result.stat().st_mtime_ns for run in study] == stamps
    content = json.loads(study[1].result.read_text())
    assert content["settings"]["seed"] == 1
    assert content["metrics"] == values["learned"][1]
    assert [epoch["epoch"] for epoch in study[1].history] == [0, 1, 2]
    elsewhere = seeds_of("learned", settings, Folders(tmp_path / "results", tmp_path / "another checkout"), range(2))
    assert execute(elsewhere, 1) == values
    assert not (tmp_path / "another checkout").exists()


def test_runs_of_other_settings_are_not_mixed(settings, tmp_path, monkeypatch):
    place = folders(tmp_path)
    run = Run("learned", settings, place)
    write_result(run.folder / "started.json", run.identity, {})
    assert run.known is None
    with pytest.raises(ConfigError, match=r"other settings \(crops; crops was 4\)"):
        Run("learned", replace(settings, crops=8), place).known  # noqa: B018
    uniform = replace(settings, weights="uniform")
    same = replace(uniform, loss_lr=1.0)
    before = runs.VERSION
    monkeypatch.setattr(runs, "VERSION", before + 1)
    with pytest.raises(ConfigError, match=rf"other settings \(version; version was {before}\)"):
        run.known  # noqa: B018
    assert Run("uniform", uniform, place).identity == Run("uniform", same, place).identity
    assert "alpha" not in Run("average", settings, place, trained=False).identity


@pytest.mark.slow
def test_what_a_run_warns_of_is_kept(settings, tmp_path, capfd):
    [run] = seeds_of("learned", replace(settings, generator="plain", loss_lr=100.0), folders(tmp_path), [0])
    execute([run], 1)
    assert "collapsed onto source" in (run.folder / "messages.txt").read_text()
    assert "collapsed" not in capfd.readouterr().err


def test_what_was_given_wrongly_ends_with_one_line(monkeypatch, tmp_path):
    monkeypatch.setattr(problems, "DATA", tmp_path)
    with pytest.raises(SystemExit, match=r"^error: .*cwfid_seg: no such folder; METALOSS_DATA has to name"):
        run_command(problems.cwfid)


@pytest.mark.slow
def test_a_run_whose_result_was_removed_is_judged_again(settings, tmp_path):
    [run] = seeds_of("learned", settings, folders(tmp_path), [0])
    first = execute([run], 1)
    run.result.unlink()
    assert execute([run], 1) == first


@pytest.mark.slow
def test_the_first_error_ends_a_study(settings, tmp_path, capfd):
    study = seeds_of("learned", replace(settings, crops=1), folders(tmp_path), range(6))
    with pytest.raises(DataError, match="needs at least two"):
        execute(study, 1)
    assert f"failed: {study[0].folder}" in capfd.readouterr().err
    assert len(list(tmp_path.glob("work/learned/*/started.json"))) < 6


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="looks for processes in /proc")
def test_a_killed_study_leaves_no_worker(tmp_path):
    command = [sys.executable, "-m", "benchmarks.learned_vs_uniform", "--data", "synthetic", "--jobs", "1"]
    study = subprocess.Popen(
        [*command, "--out", str(tmp_path), "--results", str(tmp_path)], cwd=Path(__file__).parents[2]
    )
    try:
        wait_until(lambda: list(tmp_path.rglob("epoch_0.pth")) or study.poll() is not None)
        workers = Path(f"/proc/{study.pid}/task/{study.pid}/children").read_text().split()
    finally:
        study.kill()
        study.wait()
    assert workers
    wait_until(lambda: not any(computes(worker) for worker in workers))


def computes(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.2)


@pytest.mark.slow
def test_the_judge_of_a_fusion_network_sees_its_images(settings, tmp_path):
    network = train(settings, tmp_path)
    scene = load("synthetic").train[0]
    image = fused_image(network)(scene)
    with torch.no_grad():
        expected = network(*(source[None] for source in scene["sources"]))[0]
    assert torch.equal(image, expected.clamp(0, 1))
    assert Run("learned", settings, folders(tmp_path)).known is None


def documented(study):
    page = (Path(__file__).parents[2] / "docs" / "evidence.md").read_text()
    return re.findall(rf"^python -m benchmarks\.{study}\b *(.*)$", page, re.MULTILINE)


def test_the_documentation_has_a_command_for_each_data_set():
    given = [command.split()[1] for command in documented("learned_vs_uniform")]
    assert set(given) == set(problems.PROBLEMS)
    assert len(documented("sensitivity")) == 1


@pytest.mark.slow
def test_a_problem_has_a_budget_of_its_own(real_data):
    real_data("msrs_det_large")
    given = parser("", seeds="5", budget=learned_vs_uniform.BUDGET).parse_args(["--data", "msrs_large", "--crops", "8"])
    found = settings_of(given, learned_vs_uniform.BUDGET)
    assert (found.warmup, found.crops, found.task_epochs, found.meta_steps) == (4, 8, 10, Settings.meta_steps)


@pytest.mark.slow
def test_published_images_are_a_row_that_needs_no_training(real_data):
    real_data("msrs_det_large")
    problem = load("msrs_large")
    image = simple_images(problem)["seafusion"]
    scene = problem.scored[0]
    assert image(scene).shape == scene["sources"][0].shape
    assert not any(torch.equal(image(scene), source) for source in scene["sources"])


def test_seeds_are_a_number_or_a_range(capsys):
    assert seeds_from("3") == [0, 1, 2]
    assert seeds_from("5-9") == [5, 6, 7, 8, 9]
    with pytest.raises(SystemExit):
        parser("", seeds="5", budget=()).parse_args(["--data", "cwfid", "--seeds", "5,6"])
    assert "'5,6': expected how many, as 5, or the first and the last, as 5-9" in capsys.readouterr().err


def test_the_swing_is_the_largest_change_after_the_fifth_epoch():
    on = [0.1, 0.9, 0.1, 0.9, 0.1, 0.9, 0.7, 0.75]
    history = [
        {"epoch": epoch, "ir": 0.5, "ir on persons": value, "ir off persons": 0.0} for epoch, value in enumerate(on)
    ]
    assert pages.swing(history) == pytest.approx(0.2)
    assert pages.swing(history[:6]) == 0
    table = pages.swing_table({"image": [history, history[:6], history]})
    assert "| image | 0.200 | 0.000 | 0.200 | 3 |" in table


@pytest.mark.parametrize("row", ROWS)
def test_every_row_of_the_study_is_what_it_says(settings, row):
    learner = make_learner(replace(settings, **ROWS[row]), load("synthetic"))
    assert learner.learns_loss == (not row.startswith("uniform"))
    assert learner.weighted_sum == (row == "weighted sum")
    assert learner.settings["inner_update"] == ("image" if row in ("image", "recommended") else "network")


def test_every_kept_result_is_whole():
    for file in RESULTS.rglob("*.json"):
        content = json.loads(file.read_text())
        assert content["metrics"], file
        assert file.stem == f"seed_{content['settings']['seed']}", file
        if content["settings"].get("weights") == "learned":
            assert len(content["weights"]) == content["settings"]["epochs"] + 1, file


@pytest.mark.parametrize("change", sensitivity.CHANGES.values(), ids=list(sensitivity.CHANGES))
def test_every_row_of_the_sensitivity_changes_what_it_says(settings, change, monkeypatch, tmp_path):
    changed = replace(settings, **change)
    assert changed != settings
    given = {}
    monkeypatch.setattr(MetaLearner, "fit", lambda self, data, **options: given.update(options, learner=self))
    train(changed, tmp_path)
    assert (given["meta_steps"], given["warmup_epochs"]) == (changed.meta_steps, changed.warmup)
    learner = given["learner"]
    [group] = learner.optimizers["loss"].param_groups
    assert group["lr"] == changed.loss_lr
    normalised = changed.outer_update == "max_normalised_sgd"
    assert isinstance(learner.optimizers["loss"], torch.optim.SGD) == normalised
    assert learner.outer_update == changed.outer_update
    assert type(learner.loss.generator) is GENERATORS[changed.generator]


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", {command.split()[1]: command for command in documented("learned_vs_uniform")}.values()
)
def test_the_documented_command(command, real_data, tmp_path, capsys):
    given = shlex.split(command)
    data, alpha = given[given.index("--data") + 1], given[given.index("--alpha") + 1]
    for folder in {"cwfid": ["cwfid_seg"], "msrs_large": ["msrs_det_large"]}.get(data, []):
        real_data(folder)
    rows = ["--rows", "uniform", "network", "weighted sum"] if data == "cwfid" else ["--rows", "uniform", "recommended"]
    places = ["--out", str(tmp_path / "work"), "--results", str(tmp_path / "results")]
    learned_vs_uniform.main([*given, "--seeds", "1", "--jobs", "2", *SHORT, *rows, *places])
    printed = capsys.readouterr().out
    for row in ("average", "maximum", *rows[1:], f"{rows[-1]} - uniform"):
        assert f"| {row} |" in printed
    work = tmp_path / "work" / data
    assert (work / f"alpha_{alpha}.md").read_text() in printed
    last = rows[-1].replace(" ", "_")
    history = json.loads((tmp_path / "results" / data / f"alpha_{alpha}" / last / "seed_0.json").read_text())["weights"]
    assert [epoch["epoch"] for epoch in history] == [0, 1, 2]
    assert history[2] != {**history[1], "epoch": 2}
    for picture in ("weights.png", "maps.png", "fused.png"):
        assert (work / f"alpha_{alpha}" / last / picture).stat().st_size > 10_000


@pytest.mark.slow
def test_the_documented_sensitivity(tmp_path, capsys):
    [command] = documented("sensitivity")
    chosen = ["--data", "synthetic", "--seeds", "1", "--only", "5 meta steps", "plain G"]
    budget = ["--epochs", "3", "--crops", "4", "--task-epochs", "1"]
    places = ["--out", str(tmp_path / "work"), "--results", str(tmp_path / "results")]
    sensitivity.main([*shlex.split(command), *chosen, *budget, "--jobs", "2", *places])
    printed = capsys.readouterr().out
    assert "| 5 meta steps |" in printed
    assert "| plain G |" in printed
    assert (tmp_path / "work" / "synthetic" / "alpha_0" / "sensitivity.md").read_text() in printed
    own = tmp_path / "results" / "synthetic" / "alpha_0"
    results = [json.loads((own / row / "seed_0.json").read_text()) for row in ("network", "5_meta_steps")]
    assert [result["settings"]["meta_steps"] for result in results] == [Settings.meta_steps, 5]


def test_a_sensitivity_whose_runs_are_all_from_another_checkout(settings, tmp_path, capsys):
    given = replace(settings, **{name: getattr(Settings, name) for name in ("warmup", "meta_steps")})
    own = folders(tmp_path).of("synthetic", "alpha_0")
    epoch = {f"{source} {where} {kind}s": 0.25 for source in ("ir", "vi") for where in ("on", "off") for kind in KINDS}
    for name, change in {"network": {}, "plain G": sensitivity.CHANGES["plain G"]}.items():
        [run] = seeds_of(name, replace(given, **change), own, [0])
        history = [{"epoch": number, "ir": 0.25, "vi": 0.75, **epoch} for number in range(3)]
        write_result(run.result, run.identity, {"mIoU": 50.0}, weights=history)
    budget = ["--epochs", "2", "--crops", "4", "--task-epochs", "1", "--seeds", "1", "--only", "plain G"]
    places = ["--out", str(tmp_path / "work"), "--results", str(tmp_path / "results")]
    sensitivity.main(["--data", "synthetic", *budget, *places])
    assert "| plain G | 50.00 |" in capsys.readouterr().out
    assert [file.name for file in (tmp_path / "work").rglob("*") if file.is_file()] == ["sensitivity.md"]
