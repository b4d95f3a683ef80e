"""What a type checker sees of the package: right names pass, misspelt ones are errors."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mypy")

USER = """
import metaloss
import metaloss.metrics

learner: metaloss.MetaLearner
network = metaloss.networks.ReFusionNet(sources=2)
scenes = metaloss.data.SyntheticScenes(4)
metric = metaloss.metrics.Entropy()
values = metaloss.metrics.evaluate

wrong = metaloss.MetaLerner
wrong = metaloss.metrics.evalute
wrong = metaloss.netwroks
wrong = metaloss.data.PairedDatset
"""


@pytest.mark.slow
def test_misspelt_names_are_errors(tmp_path):
    file = tmp_path / "user.py"
    file.write_text(USER)
    root = Path(__file__).parent.parent
    command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "--cache-dir", root / ".mypy_cache"]
    done = subprocess.run([*command, file], cwd=root, capture_output=True, text=True, check=False)
    errors = [line for line in done.stdout.splitlines() if ": error: " in line]
    first = USER.splitlines().index("wrong = metaloss.MetaLerner") + 1
    assert [int(line.split(":")[1]) for line in errors] == [first, first + 1, first + 2, first + 3], done.stdout
    for name, line in zip(("MetaLerner", "evalute", "netwroks", "PairedDatset"), errors, strict=True):
        assert f'"{name}"' in line
