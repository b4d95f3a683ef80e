import textwrap
import warnings

import pytest

# torch's own use of torch.jit, at import: nobody can change it from here, and a mark on a test would come too late
with warnings.catch_warnings():
    warnings.filterwarnings("ignore", "`torch.jit", DeprecationWarning)
    import torch.distributed.optim  # noqa: F401


@pytest.fixture
def write(tmp_path):
    """Writes a file in a folder of the test's own; gives its path."""

    def file(name, source):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(source), encoding="utf-8")
        return str(path)

    return file
