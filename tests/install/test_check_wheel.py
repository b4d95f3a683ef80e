import email
import sys
import zipfile

import check_wheel
import pytest


@pytest.mark.slow
def test_the_wheel_has_every_file_and_says_what_it_needs(tmp_path):
    pytest.importorskip("setuptools", "77")
    wheel = check_wheel.build(tmp_path, sys.executable, "--no-build-isolation", "--no-index")
    assert check_wheel.missing(wheel) == []
    with zipfile.ZipFile(wheel) as archive:
        [metadata] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        said = email.message_from_bytes(archive.read(metadata))
        [entries] = [name for name in archive.namelist() if name.endswith("entry_points.txt")]
        assert b"metaloss = metaloss.cli.main:main" in archive.read(entries)
    needed = said.get_all("Requires-Dist")
    assert {line for line in needed if "extra ==" not in line} >= {"torch>=2.4", "numpy>=1.24", "pluggy>=1.7"}
    assert said["Requires-Python"] == ">=3.10"
    assert not [name for name in check_wheel.names(wheel) if name.startswith(("tests/", "docs/", "benchmarks/"))]
