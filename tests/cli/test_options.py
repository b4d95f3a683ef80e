"""``--cfg-options`` in OpenMMLab's form, and folders named for configs."""

import os
from pathlib import Path

import pytest

from metaloss.cli.options import folder_of, spread

A, B, C = (f"--cfg-options {name}=1" for name in "abc")


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("train x --cfg-options a=1 b=1", f"train x {A} {B}"),
        ("train --cfg-options a=1 b=1 x", f"train {A} {B} x"),
        ("train x --cfg-options a=1 --cfg-options b=1 c=1", f"train x {A} {B} {C}"),
        ("train x --cfg-options=a=1 b=1 --resume", f"train x --cfg-options=a=1 {B} --resume"),
        ("train x --cfg-options a=1 --work-dir d b=1", f"train x {A} --work-dir d b=1"),
        ("downstream x --cfg-options a=1 --fused n=d", f"downstream x {A} --fused n=d"),
        ("train --cfg-options a.b.0=1 b=1 -- c=1", f"train --cfg-options a.b.0=1 {B} -- c=1"),
        ("train --cfg-options x b=1", "train --cfg-options x b=1"),
        ("evaluate a b --fused n=d m=e", "evaluate a b --fused n=d m=e"),
        ("train x --cfg-options", "train x --cfg-options"),
    ],
)
def test_one_name_takes_several_values(given, read):
    assert spread(given.split()) == read.split()


def test_the_command_reads_them(refused):
    pytest.importorskip("mmengine")
    before = ("train", "--cfg-options", "max_epochs=1", "lrr=1", "tdfusion/segformer_cwfid")
    assert "has no 'lrr' (did you mean 'lr'?)" in refused(*before)
    for command in ("train", "doctor", "downstream", "ablation"):
        line = refused(command, "tdfusion/segformer_cwfid", "--cfg-options", "lr=1", "max_epochs=x")
        assert "max_epochs=x: expected a whole number" in line


def test_a_folder_for_each_config(tmp_path, monkeypatch):
    assert folder_of("tdfusion/segformer_synthetic") == Path("tdfusion/segformer_synthetic")
    assert folder_of(str(tmp_path / "mine" / "a.py")) == Path("mine/a")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert folder_of("a.py") == folder_of(os.path.join(os.curdir, "a.py")) == Path("here/a")
    assert folder_of("../b.py") == Path(tmp_path.name, "b")
