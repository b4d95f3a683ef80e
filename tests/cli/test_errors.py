"""Every mistake of a user: one plain line on stderr, exit status 2, nothing written."""

import gc
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch
from PIL import Image

from metaloss.cli import fuse_images
from metaloss.networks import ReFusionNet
from metaloss.runtime import files

pytestmark = [
    pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ImportWarning:mmcv"),
]
CWFID = "tdfusion/segformer_cwfid"
SYNTHETIC = "tdfusion/segformer_synthetic"
CLASSES = ("soil", "crop", "weed")
SMALL = ("--cfg-options", "crop_size=32", "--cfg-options")


@pytest.fixture
def train(refused, scenes, tmp_path):
    """Starts a training that has to be refused before it writes anything; gives the message."""

    def run(*options, config=CWFID):
        work_dir = tmp_path / "work"
        settings = [word for option in ("crop_size=32", *options) for word in ("--cfg-options", option)]
        before = sorted(tmp_path.rglob("*"))
        line = refused("train", config, "--work-dir", work_dir, "--cfg-options", f"data_root={scenes}", *settings)
        assert sorted(tmp_path.rglob("*")) == before
        return line

    return run


def test_unknown_config(refused, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    line = refused("train", "tdfusion/segformer_cwifd")
    assert "'tdfusion/segformer_cwifd' is neither a file nor the name of a shipped config" in line
    assert "did you mean 'tdfusion/segformer_cwfid'" in line
    assert SYNTHETIC in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # MMEngine leaves a file open
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("model = dict(", "SyntaxError"),
        ("lr = rate", "NameError: name 'rate' is not defined"),
        ("_base_ = './absent.py'", "builds on './absent.py', and there is no file"),
        ("lr = 1", "no train_dataloader with a dataset"),
        ("custom_imports = dict(imports=['no_such_module'], allow_failed_imports=False)", "no_such_module"),
    ],
)
def test_config_that_cannot_be_used(refused, tmp_path, content, reason):
    config = tmp_path / "mine.py"
    config.write_text(content)
    line = refused("train", config, "--work-dir", tmp_path / "work")
    assert str(config) in line
    assert reason in line
    assert not (tmp_path / "work").exists()
    gc.collect()


def test_missing_data_root(train, tmp_path, scenes):
    line = train(f"data_root={tmp_path / 'scene'}")
    assert line.startswith(f"{tmp_path / 'scene'}: no such data folder (did you mean 'scenes'?)")
    shutil.rmtree(scenes / "vi")
    assert train().startswith(f"{scenes / 'vi'}: no such folder")


def test_pair_without_partner(train, scenes):
    (scenes / "vi" / "02.png").unlink()
    assert "vi has no partner for ir/02.png" in train()


def test_sizes_that_differ(train, scenes):
    Image.new("L", (40, 31)).save(scenes / "vi" / "04.png")  # in the test split: checked as well
    line = train()
    assert line.startswith(f"{scenes / 'vi' / '04.png'}: 40x31 pixels")
    assert "40x32" in line


def test_truncated_file(train, scenes):
    file = scenes / "ir" / "03.png"
    file.write_bytes(file.read_bytes()[:200])
    assert train().startswith(f"{file}: cannot be read as an image")


def test_label_outside_the_classes(train, scenes):
    Image.new("L", (40, 32), 7).save(scenes / "label" / "01.png")
    assert train().startswith(f"{scenes / 'label' / '01.png'}: class id 7 is outside 0..2 (3 classes)")


def test_empty_split_list(train, scenes):
    (scenes / "train.txt").write_text("\n# nothing yet\n")
    assert train().startswith(f"{scenes / 'train.txt'}: the split lists nothing")


def test_single_source(train, refused, scenes, tmp_path):
    config = tmp_path / "mine.py"
    config.write_text(
        "_base_ = 'metaloss::tdfusion/segformer_cwfid.py'\ntrain_dataloader = dict(dataset=dict(sources=['ir']))"
    )
    assert "1 source given (ir): image fusion needs at least two" in train(config=config)
    line = refused("fuse", scenes / "ir", "--weights", tmp_path / "x.pth", "--out", tmp_path / "out")
    assert "1 source given" in line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ("max_epoch=3", "has no 'max_epoch' (did you mean 'max_epochs'?)"),
        ("model.los.alpha=3", "has no 'los' in model (did you mean 'loss'?)"),
        ("optim_wrapper.task.optimizer.lrr=3", "has no 'lrr' in optim_wrapper.task.optimizer (did you mean 'lr'?)"),
        ("max_epochs=many", "max_epochs=many: expected a whole number"),
        ("max_epochs", "'max_epochs': expected key=value"),
    ],
)
def test_misspelt_cfg_options(train, option, reason):
    assert reason in train(option)


def test_unknown_parts_of_a_config(train):
    assert "no task 'mmsegg' (did you mean 'mmseg'?)" in train("model.task.name=mmsegg")
    assert "no fusion network 'refusoin'" in train("model.fusion.name=refusoin")
    line = train("model.task.config=mmseg::segformer/segformer_mit-b0_8xb2-160k_ade20k-512x51.py")
    assert "did you mean 'segformer/segformer_mit-b0_8xb2-160k_ade20k-512x512.py'" in line
    assert "hypergradien" in train("model.hypergradien=auto")
    assert "3 class names given for num_classes=4" in train("model.task.num_classes=4")
    assert "has no 'num_classes'" in train("num_classes=4")


def test_unknown_types_of_a_config(train):
    line = train("model.loss.type=metaloss.LearnableFusionLos")
    assert "LearnableFusionLos" in line


def test_sizes_that_do_not_fit(train):
    assert train("crop_size=64").endswith("is 32x40 pixels: a fusion crop of 64x64 does not fit")
    assert "size (32, 32, 3): expected a number of pixels, or (height, width)" in train("task_size=(32,32,3)")


def test_too_few_pairs(train, scenes):
    (scenes / "train.txt").write_text("01\n")
    assert "the training set has 1 item" in train()


@pytest.mark.slow
def test_resume_from_a_checkpoint_of_another_network(train, refused, tmp_path, scenes):
    work_dir = tmp_path / "work"
    state = {f"fusion.{name}": value for name, value in ReFusionNet(sources=3).state_dict().items()}
    files.save(work_dir / "epoch_3.pth", {"state_dict": state, "metaloss": {}})
    before = sorted(tmp_path.rglob("*"))
    line = refused("train", CWFID, "--work-dir", work_dir, "--resume", *SMALL, f"data_root={scenes}")
    assert line.startswith(f"{work_dir / 'epoch_3.pth'}: not a checkpoint of this config's networks")
    (work_dir / "epoch_3.pth").write_bytes(b"torn")
    line = refused("train", CWFID, "--work-dir", work_dir, "--resume", *SMALL, f"data_root={scenes}")
    assert line.startswith(f"{work_dir / 'epoch_3.pth'}: damaged or not a checkpoint")
    assert sorted(tmp_path.rglob("*")) == before


@pytest.fixture
def fuse(refused, scenes, weights, tmp_path):
    """Fuses what has to be refused; gives the message."""

    def run(*sources, weights=weights, out=tmp_path / "out"):
        before = sorted(tmp_path.rglob("*"))
        line = refused("fuse", *(sources or (scenes / "ir", scenes / "vi")), "--weights", weights, "--out", out)
        assert sorted(tmp_path.rglob("*")) == before
        return line

    return run


@pytest.mark.slow
def test_fuse_with_weights_of_another_network(fuse, weights, scenes, tmp_path):
    content = files.load(weights)
    content["fusion"] = ReFusionNet(sources=3).state_dict()
    files.save(weights, content)
    assert f"{weights}: not the weights of this ReFusionNet" in fuse()
    content["metaloss"] = {"fusion": {"name": "refusion", "arguments": {"sources": 3}}}
    files.save(weights, content)
    assert f"{weights}: was trained on 3 sources, and 2 are given" in fuse()
    torch.save({"weight": torch.ones(3)}, weights)
    assert f"{weights}: holds no fusion network" in fuse()
    assert f"--weights {tmp_path / 'absent.pth'}: no such file" in fuse(weights=tmp_path / "absent.pth")


def test_fuse_with_bad_files(fuse, scenes):
    assert "no such file or folder" in fuse(scenes / "ir", scenes / "vis")
    (scenes / "vi" / "05.png").rename(scenes / "vi" / "5.png")
    assert "vi has no partner for ir/05.png" in fuse()
    (scenes / "vi" / "5.png").rename(scenes / "vi" / "05.png")
    Image.new("L", (39, 32)).save(scenes / "vi" / "05.png")  # the last pair: nothing of the others is written
    assert fuse().startswith(f"{scenes / 'vi' / '05.png'}: 39x32 pixels")
    (scenes / "vi" / "05.png").write_bytes(b"no image")
    assert fuse().startswith(f"{scenes / 'vi' / '05.png'}: cannot be read as an image")
    assert "files only, or folders only" in fuse(scenes / "ir" / "00.png", scenes / "vi")


def test_fuse_into_a_file(fuse, weights):
    assert "is a file" in fuse(out=weights)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["trian"], "No such command 'trian'"),
        (["train"], "Missing argument 'CONFIG'"),
        (["train", SYNTHETIC, "--epochs", "3"], "No such option: --epochs"),
        (["train", SYNTHETIC, "extra"], "unexpected extra argument"),
        (["train", SYNTHETIC, "--work-dir"], "requires an argument"),
        (["fuse"], "Missing argument"),
        (["fuse", "a", "b"], "a: no such file or folder"),
        (["fuse", ".", ".", "--network", "refusion"], "--weights is missing"),
        (["fuse", ".", ".", "--colour", "blue", "--weights", "x"], "'blue' is not one of 'auto', 'grey'"),
        (["--no-such-option"], "No such option: --no-such-option"),
        (["fuse", ".", ".", "--weights", "x", "--out", ""], "an empty argument after '--out': give a value"),
        (["fuse", "", "."], "an empty argument after 'fuse'"),
        (["train", SYNTHETIC, "--work-dir="], "--work-dir= has no value"),
        (["evaluate", ".", ".", "--fused", "."], "--fused .: expected NAME=PATH, with a name that a file can have"),
        (["evaluate", ".", ".", "--fused", ".."], "--fused ..: expected NAME=PATH"),
        (["evaluate", ".", ".", "--fused", "..=x"], "--fused ..=x: expected NAME=PATH"),
        (["evaluate", ".", ".", "--fused", "a/b=x"], "--fused a/b=x: expected NAME=PATH"),
        (["evaluate", ".", ".", "--fused", "a="], "--fused a=: no path after the name"),
        (["weights", ".", ".", "--weights", "..=x", "--out", "o"], "--weights ..=x: expected NAME=PATH"),
        (["downstream", SYNTHETIC, "--fused", "..=x", "--work-dir", "w"], "--fused ..=x: expected NAME=PATH"),
    ],
)
def test_wrong_arguments(refused, monkeypatch, tmp_path, arguments, reason):
    monkeypatch.chdir(tmp_path)
    assert reason in refused(*arguments)
    assert list(tmp_path.iterdir()) == []


def test_fuse_says_what_is_missing_in_the_order_of_the_arguments(refused, weights, scenes):
    assert "--out is missing" in refused("fuse", scenes / "ir", scenes / "vi", "--weights", weights)


@pytest.mark.parametrize(
    ("number", "status", "line"),
    [(signal.SIGINT, 130, "error: interrupted"), (signal.SIGTERM, 143, "SIGTERM: stopped; what was saved is whole")],
)
def test_a_signal_ends_a_command_with_one_line(command, scenes, mean, tmp_path, monkeypatch, number, status, line):
    monkeypatch.setattr(fuse_images, "warn_of", lambda *_: signal.raise_signal(number))
    done = command("fuse", scenes / "ir", scenes / "vi", "--weights", mean, "--out", tmp_path / "out")
    assert (done.status, done.out, done.err) == (status, "", f"{line}\n")
    assert {path.suffix for path in (tmp_path / "out").iterdir()} == {".png"}
    assert not [thread for thread in threading.enumerate() if "ThreadPoolExecutor" in thread.name]


def test_debug_shows_the_traceback(command):
    for arguments in (["--debug", "train", "absent.py"], ["train", "absent.py", "--debug"]):
        done = command(*arguments)
        assert done.status == 2
        assert done.err.startswith("Traceback (most recent call last):")
        assert done.err.splitlines()[-1].startswith("error: config 'absent.py'")


BLOCK = """
import sys

class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == {blocked!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Block())
from metaloss.cli.main import main
main(sys.argv[1:])
"""


def process(*command):
    environment = {name: value for name, value in os.environ.items() if name != "METALOSS_STRICT_PLUGINS"}
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, env=environment, check=False)


@pytest.mark.slow
@pytest.mark.parametrize("framework", ["mmengine", "mmseg"])
def test_framework_that_is_not_installed(tmp_path, framework):
    done = process(
        sys.executable, "-c", BLOCK.format(blocked=framework), "train", SYNTHETIC, "--work-dir", tmp_path / "work"
    )
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert line.endswith(f"needs {framework}, not installed: pip install 'metaloss[{framework}]'")
    assert not (tmp_path / "work").exists()


@pytest.mark.slow
def test_a_real_process_says_one_line_even_after_the_framework_was_imported(tmp_path, scenes):
    work_dir = tmp_path / "work"
    files.save(work_dir / "epoch_1.pth", {"state_dict": {}, "metaloss": {}})
    executable = Path(sys.executable).with_name("metaloss")
    done = process(executable, "train", CWFID, "--work-dir", work_dir, "--resume", *SMALL, f"data_root={scenes}")
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    assert line.startswith(f"error: {work_dir / 'epoch_1.pth'}: not a checkpoint of this config's networks")
    assert [path.name for path in work_dir.iterdir()] == ["epoch_1.pth"]
