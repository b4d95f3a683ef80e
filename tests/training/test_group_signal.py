"""A signal to the whole group of processes reaches the workers that load data as well: the step ends all the same."""

import os
import signal
import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.slow
TRAINING = """
import sys, time, torch, metaloss
from metaloss.data import SyntheticScenes
class Slow(SyntheticScenes):
    def __getitem__(self, index):
        time.sleep(0.05)
        return super().__getitem__(index)
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Conv2d(2, 1, 3, padding=1)
    def forward(self, *sources):
        time.sleep(0.05)
        return self.layer(torch.cat(sources, 1)).sigmoid()
torch.manual_seed(0)
learner = metaloss.MetaLearner(
    fusion=Net(),
    loss=metaloss.LearnableFusionLoss(weights="uniform"),
    task=metaloss.ModuleTask(torch.nn.Conv2d(1, 4, 1), torch.nn.functional.cross_entropy),
)
learner.fit(Slow(200, size=(32, 32)), epochs=2, meta_steps=0, num_workers=2, work_dir=sys.argv[1],
            callbacks=[lambda learner, log: None])
"""


@pytest.mark.parametrize("wait", [0.3, 0.6, 1.0])
def test_sigterm_to_the_group(tmp_path, wait):
    work_dir = tmp_path / "run"
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", TRAINING, work_dir],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while process.poll() is None and not work_dir.exists():
        time.sleep(0.01)
    time.sleep(wait)
    os.killpg(process.pid, signal.SIGTERM)
    said = process.communicate(timeout=60)[1].splitlines()
    assert process.returncode == 143, said
    assert said[-1].startswith("SIGTERM: stopped ")
    assert len(said) == 1
