import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parent.parent
DATA = Path(os.environ.get("METALOSS_DATA", ROOT.parent / "shared" / "data"))


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
