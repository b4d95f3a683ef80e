import numpy as np
import pytest
from PIL import Image

SIZE = (20, 40)


@pytest.fixture
def root(tmp_path):
    """Two pairs of 40x20 pixels, a and b, without labels."""
    for folder in ("ir", "vi"):
        (tmp_path / folder).mkdir()
        for name in "ab":
            Image.fromarray(np.zeros(SIZE, dtype=np.uint8)).save(tmp_path / folder / f"{name}.png")
    return tmp_path
