"""Two processes that saw half the scenes each report the metrics of all of them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def computed(tmp_path_factory):
    for framework in ("mmdet", "mmseg", "timm", "torchvision", "ultralytics"):
        pytest.importorskip(framework)
    folder = tmp_path_factory.mktemp("evaluators")
    torchrun = [Path(sys.executable).with_name("torchrun"), "--standalone", "--nproc-per-node", "2"]
    for start in ([sys.executable], torchrun):
        done = subprocess.run(
            [*start, Path(__file__).with_name("evaluators.py"), folder],
            capture_output=True,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    return [json.loads((folder / f"{name}.json").read_text()) for name in ("1_0", "2_0", "2_1")]


FRAMEWORKS = ("mmdet", "ultralytics", "mmseg", "timm", "torchvision", "torchvision_segmentation")


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_score_is_that_of_all_scenes(computed, framework):
    whole, *ranks = (found[framework] for found in computed)
    assert all(0 < value < 100 for value in whole.values()), whole
    for found in ranks:
        assert found == pytest.approx(whole, rel=1e-6)


def test_pixels_are_counted_over_all_scenes(computed):
    whole, *ranks = (found["confusion"] for found in computed)
    assert whole.keys() == {"mmseg", "torchvision_segmentation"}
    assert whole["mmseg"] == whole["torchvision_segmentation"]
    assert sum(map(sum, whole["mmseg"])) == 7 * 48 * 64
    assert all(found == whole for found in ranks)


def test_frameworks_agree_on_what_they_both_score(computed):
    """COCO's metric and the mean overlap are the same numbers, by whichever framework."""
    whole = computed[0]
    assert whole["torchvision"] == pytest.approx({name: whole["mmdet"][name] for name in whole["torchvision"]}, abs=0.2)
    assert whole["torchvision_segmentation"] == pytest.approx(whole["mmseg"], abs=0.01)
