"""What the command line says of itself, and what a shell completes."""

import importlib
import os
import re
import subprocess
import sys

import pytest
import typer

from metaloss.cli.commands import summary
from metaloss.cli.main import _COMMANDS
from metaloss.configs import shipped_configs


def plain(text):
    return " ".join(text.split())


def test_descriptions_are_whole(command):
    shown = plain(command("--help").out)
    for name, place in _COMMANDS.items():
        module, _, function = place.partition(".")
        found = getattr(importlib.import_module(f"metaloss.cli.{module}"), function)
        told = plain(found.info.help) if isinstance(found, typer.Typer) else summary(found)
        assert f"{name} {told}" in shown
    assert "..." not in shown.partition("Commands:")[2]


@pytest.mark.parametrize("words", [(), ("data",)])
def test_nothing_asked_is_answered_with_the_help(command, words):
    asked, nothing = command(*words, "--help"), command(*words)
    assert (nothing.status, plain(nothing.out + nothing.err)) == (2, plain(asked.out))
    assert len(nothing.err.splitlines()) > 10


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("compare", ("--method", "--out")),
        ("evaluate", ("--fused",)),
        ("export", ("--out",)),
        ("fuse", ("--out",)),
        ("report", ("--out",)),
        ("weights", ("--weights", "--out")),
    ],
)
def test_options_that_have_to_be_given_say_so(command, name, options):
    shown = plain(command(name, "--help").out)
    for option in options:
        told = shown[shown.index(f" {option} ") :]
        assert "[required]" in told[: told.index(" --", 3)], option


@pytest.mark.parametrize("name", [*sorted(set(_COMMANDS) - {"data"}), "data list", "data check", "data convert"])
def test_what_options_and_arguments_take_has_a_name(command, name):
    usage, _, rest = command(*name.split(), "--help").out.partition("\n\n")
    places = re.findall(r"[{[]([^]}]+)[]}]", usage) or usage.split()[3:]
    assert [place for place in places if place != "OPTIONS" and not place.isupper()] == []
    options = rest.partition("Options:")[2]
    assert re.findall(r"--[\w-]+ +(?:<(?:path|str|int|float)|TEXT|PATH|INTEGER)", options) == []


def test_an_unknown_command_names_the_nearest(refused):
    assert "Did you mean 'train'" in refused("trian")


def in_a_shell(*arguments, **environment):
    program = "import sys; sys.argv[0] = 'metaloss'; from metaloss.cli.main import main; main(sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout


def completed(line):
    words = {"COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
    return in_a_shell(_METALOSS_COMPLETE="complete_bash", **words).split()


def test_a_shell_completes_commands_options_and_configs():
    assert set(completed("metaloss ")) == set(_COMMANDS)
    assert completed("metaloss do") == ["downstream", "doctor"]
    assert completed("metaloss data c") == ["check", "convert"]
    wanted = [name for name in shipped_configs() if name.startswith("refusion/")]
    assert completed("metaloss ablation refusion/") == wanted


def test_the_other_shells_see_descriptions():
    shown = in_a_shell(_METALOSS_COMPLETE="complete_zsh", _TYPER_COMPLETE_ARGS="metaloss ab")
    assert "ablation" in shown
    assert "Train with each part of the method left out" in shown


def test_the_script_for_a_shell_is_shown():
    shown = in_a_shell("--show-completion", "bash", _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1")
    assert "_METALOSS_COMPLETE=complete_bash" in shown
