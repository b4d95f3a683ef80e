"""Every command of every page is read by the program that it starts, and names what is there."""

import argparse
import re
import runpy
import sys
from functools import cache

import click
import pytest
import typer
from pages import PAGES, ROOT, commands

from metaloss.cli.main import _app
from metaloss.cli.options import spread
from metaloss.configs import shipped_configs

COMMANDS = commands()
FAMILIES = ("tdfusion", "refusion", "recommended")
OTHERS = ("cd", "export", "git", "source", "tensorboard", "wandb", "ffmpeg", "mkdocs")


def of(*programs):
    """The commands of these programs, by page and words."""
    found = [(page, words) for page, words in COMMANDS if runs(words, programs)]
    return [pytest.param(words, id=f"{page}: {' '.join(words)}"[:100]) for page, words in found]


def runs(words, programs):
    return words[0].rpartition("/")[2] in programs


@cache
def app(name):
    """The command line as click has it, with this command in it: made once."""
    return typer.main.get_command(_app([name]))


def read(command, words, parent=None):
    """Parses words by click's own parsers, into subcommands; runs nothing. Gives the last command's context."""
    context = command.make_context(command.name or "metaloss", list(words), parent=parent)
    if not hasattr(command, "resolve_command"):
        return context
    _, inner, rest = command.resolve_command(context, [*context._protected_args, *context.args])
    return read(inner, rest, parent=context)


def metaloss(words):
    return read(app(next(word for word in words[1:] if not word.startswith("-"))), spread(words[1:]))


def test_all_programs_are_looked_at():
    known = {"metaloss", "make", "pip", "python", "torchrun", *OTHERS}
    assert not [(page, words) for page, words in COMMANDS if not runs(words, known)]


@pytest.mark.parametrize("words", of("metaloss"))
def test_metaloss(words):
    context = metaloss(words)
    config = context.params.get("config")
    if str(config).partition("/")[0] in FAMILIES:
        assert str(config) in shipped_configs()


def test_a_wrong_command_is_seen():
    with pytest.raises(Exception, match="No such option") as error:
        metaloss(["metaloss", "fuse", "ir", "vi", "--weight", "w.pth", "--out", "fused"])
    assert type(error.value).__name__ == "NoSuchOption"
    assert click.__name__


@pytest.mark.parametrize("words", [each for each in of("metaloss") if "--cfg-options" in each.values[0]])
def test_settings(words):
    """Those of shipped configs are applied, as the command does it, to where they act."""
    pytest.importorskip("mmengine")
    from metaloss.engine import load_config, parse_options

    context = metaloss(words)
    given = next(value for name, value in context.params.items() if "options" in name)
    config = context.params.get("config") or context.params.get("folder")
    if str(config) not in shipped_configs():
        pytest.skip("a config of the reader's own")
    assert load_config(str(config), parse_options(given)).to_dict() != load_config(str(config)).to_dict()


@pytest.mark.parametrize("words", of("torchrun"))
def test_torchrun(words):
    from torch.distributed.run import get_args_parser

    given = get_args_parser().parse_args(words[1:])
    assert given.module
    assert given.training_script == "metaloss"
    metaloss(["metaloss", *given.training_script_args])


@pytest.mark.parametrize("words", of("make"))
def test_make(words):
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(words[1:]) <= set(targets)


@pytest.mark.parametrize("words", of("pip"))
def test_pip(words):
    tomllib = pytest.importorskip("tomllib")  # of Python 3.11
    known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for word in words:
        assert set(",".join(re.findall(r"\[(.*)\]", word)).split(",")) <= {*known, ""}
        if word.startswith("./"):
            assert (ROOT / word / "pyproject.toml").exists()


class Read(Exception):
    """The program has read its command line, and would begin."""


@pytest.mark.filterwarnings("ignore:.*found in sys.modules after import:RuntimeWarning")
@pytest.mark.parametrize("words", [each for each in of("python") if re.search("benchmarks|examples", str(each))])
def test_python(words, monkeypatch):
    parse = argparse.ArgumentParser.parse_args

    def parse_and_stop(parser, args=None, namespace=None):
        parse(parser, args, namespace)
        raise Read

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_and_stop)
    monkeypatch.syspath_prepend(str(ROOT))
    module = words[1] == "-m"
    monkeypatch.setattr(sys, "argv", words[2:] if module else words[1:])
    start = runpy.run_module if module else runpy.run_path
    with pytest.raises(Read):
        start(words[2] if module else str(ROOT / words[1]), run_name="__main__")


def test_what_python_runs_is_there():
    for page, words in COMMANDS:
        if runs(words, ("python",)) and words[1:2] != ["-m"]:
            assert (ROOT / words[1]).exists(), (page, words)
    assert len(PAGES) > 30
