import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parent.parent
DATA = Path(os.environ.get("METALOSS_DATA", ROOT.parent / "shared" / "data"))

# importmode=importlib puts no folder on the path: `from toys import ...` finds the shared networks here
_spec = importlib.util.spec_from_file_location("toys", Path(__file__).with_name("toys.py"))
if _spec and _spec.loader and "toys" not in sys.modules:
    sys.modules["toys"] = importlib.util.module_from_spec(_spec)
    _spec.loader.exec_module(sys.modules["toys"])


@pytest.fixture
def real_data() -> Callable[[str], Path]:
    """Gives the folder of a real data set, or skips where it is absent."""

    def folder(name: str) -> Path:
        path = DATA / name
        if not path.exists():
            pytest.skip(f"real data {path} is absent (set METALOSS_DATA)")
        return path

    return folder


@pytest.fixture(autouse=True)
def _fresh_random_state() -> None:
    torch.manual_seed(0)
