import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PEERS = Path(sys.prefix) / "peers"

# the benchmarks are no part of what is installed
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))


@pytest.fixture
def peer(monkeypatch):
    """Makes a peer's package importable for one test, or skips where `make bench` has not installed it."""

    def importable(name: str) -> None:
        if not (PEERS / name).exists():
            pytest.skip(f"{name} is not in {os.path.relpath(PEERS)}: `make bench` installs it")
        monkeypatch.syspath_prepend(str(PEERS))
        monkeypatch.setattr(sys, "modules", dict(sys.modules))

    return importable
