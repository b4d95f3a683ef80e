import contextlib
import errno
import gc
import importlib
import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parent.parent
DATA = Path(os.environ.get("METALOSS_DATA", ROOT.parent / "shared" / "data"))

# importmode=importlib puts no folder on the path: `from toys import ...` finds what tests share here
for _name in ("toys", "traces", "unrolled", "faulty", "published", "weight_files", "run_folders"):
    _spec = importlib.util.spec_from_file_location(_name, Path(__file__).with_name(f"{_name}.py"))
    if _spec and _spec.loader and _name not in sys.modules:
        sys.modules[_name] = importlib.util.module_from_spec(_spec)
        _spec.loader.exec_module(sys.modules[_name])


def pytest_configure() -> None:
    """Lets Ctrl-C act as in a terminal, also where a shell that runs the tests in the background has it ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """Keeps what the frameworks' modules hold out of every later garbage collection, of which tests cause many."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def real_data() -> Callable[[str], Path]:
    """Gives the folder of a real data set, or skips where it is absent."""

    def folder(name: str) -> Path:
        path = DATA / name
        if not path.exists():
            pytest.skip(f"real data {path} is absent (set METALOSS_DATA)")
        return path

    return folder


@pytest.fixture
def no_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails where a process is started: nothing is installed or downloaded behind one's back."""

    with contextlib.suppress(ImportError):
        importlib.import_module("matplotlib.font_manager")  # asks the system for its fonts, once

    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError(f"a process was started: {arguments}")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    monkeypatch.setattr(os, "system", refuse)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keeps the user's cache as it is, and lets no test see what another has kept."""
    with tempfile.TemporaryDirectory(dir=tmp_path_factory.getbasetemp(), ignore_cleanup_errors=True) as folder:
        monkeypatch.setenv("XDG_CACHE_HOME", folder)
        yield


@pytest.fixture(autouse=True)
def _fresh_random_state() -> None:
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Gives the tree of a published data set as it unpacks, written when it is first asked for."""
    from published import TREES

    root, written = tmp_path_factory.mktemp("published"), dict[str, Path]()

    def tree(name: str) -> Path:
        if name not in written:
            written[name] = TREES[name](root)
        return written[name]

    return tree


@pytest.fixture
def full_disk(monkeypatch):
    """A disk that takes no more, as a file finds when it is made sure of."""

    def fail(file):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("metaloss.runtime.files.os.fsync", fail)
