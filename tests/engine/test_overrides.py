"""``--cfg-options``: how it is read, and what it refuses."""

import pytest

pytest.importorskip("mmengine")

from metaloss.engine import load_config, parse_options
from metaloss.errors import ConfigError, DataError

CWFID = "tdfusion/segformer_cwfid"
SYNTHETIC = "tdfusion/segformer_synthetic"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("1e-3", 1e-3),
        ("(2,3)", (2, 3)),
        ("2,3", [2, 3]),
        ("[2,3]", [2, 3]),
        ("['x','y']", ["x", "y"]),
        ("x,y", ["x", "y"]),
        ("[x, car stop]", ["x", "car stop"]),
        ("(x,)", ("x",)),
        ("[x]", ["x"]),
        ("((PET,MRI),(CT,MRI))", (("PET", "MRI"), ("CT", "MRI"))),
        ("'a,b'", "a,b"),
        ("'a,b',c", ["a,b", "c"]),
        ("a/b,true,1", ["a/b", True, 1]),
        ("some/path", "some/path"),
        ("[:80%]", "[:80%]"),
        ("[-20:]", "[-20:]"),
        ("true", True),
        ("None", None),
        ("none", None),
        ("a=b", "a=b"),
        ("dict(a=1)", "dict(a=1)"),
        ("{'seg': 1.0}", {"seg": 1.0}),
        ("", ""),
    ],
)
def test_values_are_read_as_python_where_they_are(text, value):
    parsed = parse_options([f"key={text}"])["key"]
    assert parsed == value
    assert type(parsed) is type(value)


def test_what_is_no_option():
    with pytest.raises(ConfigError, match="'max_epochs': expected key=value"):
        parse_options(["max_epochs"])


@pytest.mark.parametrize(
    "key",
    [
        "model.fusion_sees_task_loss", "model.separate_fusion_learning", "model.loss.weights", "model.loss.intensity",
        "model.fusion.sources", "train_dataloader.dataset.target", "train_cfg.val_begin",
        "optim_wrapper.fusion.optimizer.weight_decay", "default_hooks.checkpoint.save_best",
        "train_dataloader.pin_memory", "randomness.deterministic",
    ],
)  # fmt: skip
def test_settings_that_a_config_leaves_at_their_defaults(key):
    config = load_config(SYNTHETIC, {key: "given"})
    value = config
    for name in key.split("."):
        value = value[name]
    assert value == "given"
    with pytest.raises(ConfigError, match=f"did you mean '{key.split('.')[-1]}'"):
        load_config(SYNTHETIC, {key[:-1]: "given"})


@pytest.mark.parametrize("key", ["train_dataloader.dataset.missing", "train_dataloader.dataset.labels"])
def test_what_a_data_set_takes(key):
    assert load_config(CWFID, {key: "empty"}).train_dataloader.dataset[key.split(".")[-1]] == "empty"


@pytest.mark.parametrize("key", ["model.task.num_classes", "model.task.checkpoint"])
def test_what_a_task_takes(key):
    pytest.importorskip("mmseg")
    assert load_config(CWFID, {key: 3}).model.task[key.split(".")[-1]] == 3


def test_dotted_keys_change_one_place():
    config = load_config(
        SYNTHETIC, {"optim_wrapper.task.optimizer.lr": 0.25, "visualizer.vis_backends.0.type": "X", "lr": 0.5}
    )
    assert config.optim_wrapper.task.optimizer.lr == 0.25
    assert config.optim_wrapper.fusion.optimizer.lr == 0.5
    assert config.visualizer.vis_backends[0].type == "X"
    assert config.lr == 0.5


def test_a_part_of_a_settings_value(write):
    name = "tdfusion/multitask_synthetic"
    config = load_config(name, {"targets.weather": "segmentation"})
    expected = {"seg": "segmentation", "weather": "segmentation"}
    assert config.train_dataloader.dataset.target == config.val_dataloader.dataset.target == expected
    listed = write("listed.py", "sizes = [1, 2]\nloop = dict(sizes=[1, 2])\nsettings = dict(sizes='loop.sizes')\n")
    assert load_config(listed, {"sizes.0": 5}).loop.sizes == [5, 2]


@pytest.mark.parametrize(
    ("key", "value"),
    [("load_from", "x.pth"), ("resume", True), ("log_level", "ERROR"), ("experiment_name", "x"), ("work_dir", "x"),
     ("param_scheduler", None)],
)  # fmt: skip
def test_mmengines_own_keys(key, value):
    assert load_config(SYNTHETIC, {key: value})[key] == value


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("max_epoch", r"has no 'max_epoch' \(did you mean 'max_epochs'\?\)"),
        ("max_keep_ckpts", r"has no .* \(did you mean 'default_hooks\.checkpoint\.max_keep_ckpts'\?\)"),
        ("num_classes", "has no 'num_classes'.*its settings are .*max_epochs, "),
        ("optim_wrapper.tsk.optimizer.lr", r"has no 'tsk' in optim_wrapper \(did you mean 'task'\?\)"),
        ("default_hooks.checkpoint.intervall", r"'intervall' in default_hooks\.checkpoint .*'interval'"),
        ("custom_hooks.7.count", "has no '7' in custom_hooks"),
        ("lr.x", "has no 'x' in lr"),
        ("classes.0", "has no '0' in classes"),
    ],
)
def test_unknown_keys(key, reason):
    with pytest.raises(ConfigError, match=reason):
        load_config(SYNTHETIC, {key: 1})


def test_a_variable_that_acts_nowhere_is_refused(write):
    path = write("mine.py", "steps: int = 4\nloop = dict(steps=steps)\n")
    with pytest.raises(ConfigError, match=r"has 'steps', and does not say where it acts: give the place itself.*steps"):
        load_config(path, {"steps": 5})
    assert load_config(path, {"loop.steps": 5}).loop.steps == 5


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("max_epochs=many", "expected a whole number"),
        ("max_epochs=2.5", "expected a whole number"),
        ("max_epochs=True", "expected a whole number"),
        ("lr=fast", "expected a number"),
        ("lr=(1,2)", "expected a number"),
        ("task_size=big", "expected values in brackets"),
        ("classes=soil", "expected values in brackets"),
    ],
)
def test_values_of_a_wrong_type(option, expected):
    with pytest.raises(ConfigError, match=rf"--cfg-options {option.split('=')[0]}=.*: {expected}, as in segformer_"):
        load_config(SYNTHETIC, parse_options([option]))


@pytest.mark.parametrize("option", ["lr=1", "crop_size=48", "crop_size=None", "crop_size=[48,48]", "crop_size=48,48"])
def test_values_that_fit(option):
    options = parse_options([option])
    config = load_config(SYNTHETIC, options)
    assert {key: config[key] for key in options} == options


def test_classes_from_a_file_of_names(tmp_path):
    (tmp_path / "data.yaml").write_text("nc: 2\nnames: {0: soil, 1: plant}\n")
    for options in (["classes=data.yaml", f"data_root={tmp_path}"], [f"classes={tmp_path / 'data.yaml'}"]):
        config = load_config(CWFID, parse_options(options))
        for part in (config, config.train_dataloader.dataset, config.val_dataloader.dataset, config.model.task):
            assert tuple(part.classes) == ("soil", "plant")
    with pytest.raises(DataError, match=r"data\.yml: no such file of class names \(did you mean 'data\.yaml'\?\)"):
        load_config(CWFID, parse_options(["classes=data.yml", f"data_root={tmp_path}"]))
    own = tmp_path / "own.py"
    own.write_text(
        '_base_ = "metaloss::tdfusion/segformer_cwfid.py"\n'
        f'data_root, classes = "{tmp_path}", "data.yaml"\n'
        "model = dict(task=dict(classes=classes))\n"
        "train_dataloader = dict(dataset=dict(root=data_root, classes=classes))\n"
        "val_dataloader = dict(dataset=dict(root=data_root, classes=classes))\n"
    )
    assert tuple(load_config(str(own)).model.task.classes) == ("soil", "plant")
