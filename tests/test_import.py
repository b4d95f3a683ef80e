"""`import metaloss` and the learner need torch, numpy and pluggy alone."""

import subprocess
import sys
import textwrap

import pytest

import metaloss

BLOCK = '''
import importlib.metadata, re, sys, warnings
import torch, numpy, pluggy

def needed(name, seen):
    # torch's own requirements, and theirs
    try:
        wanted = importlib.metadata.requires(name) or []
    except importlib.metadata.PackageNotFoundError:
        return seen
    for line in wanted:
        other = re.match(r"[\\w.-]+", line)[0]
        if "extra ==" not in line and other not in seen:
            seen.add(other)
            needed(other, seen)
    return seen

allowed = {name.partition(".")[0] for name in sys.modules} | set(sys.stdlib_module_names)
allowed |= {name.lower().replace("-", "_") for name in needed("torch", {"torch", "numpy", "pluggy"})}

class WithoutOthers:
    """A finder for which the other packages are not installed."""

    def __init__(self, finder):
        self.finder = finder

    def __getattr__(self, name):
        return getattr(self.finder, name)

    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top in allowed or top.startswith("metaloss"):
            return self.finder.find_spec(name, path, target)

sys.meta_path[:] = map(WithoutOthers, sys.meta_path)
for name in ("rich", "PIL", "torchmetrics", "typer", "mmengine", "scipy", "pytest"):
    try:
        __import__(name)
    except ModuleNotFoundError:
        pass
    else:
        raise AssertionError(name + " is not blocked")
'''

USE = """
warnings.simplefilter("error")
import metaloss
from torch import nn

items = [
    {"sources": (torch.rand(1, 8, 8), torch.rand(1, 8, 8)), "target": torch.randint(3, (8, 8)), "names": str(n)}
    for n in range(4)
]
learner = metaloss.MetaLearner(
    fusion=metaloss.networks.ReFusionNet(),
    loss=metaloss.LearnableFusionLoss(),
    task=metaloss.ModuleTask(nn.Conv2d(1, 3, 1), nn.functional.cross_entropy),
    hypergradient=METHOD,
)
batches = [metaloss.data.collate(items[k : k + 2]) for k in (0, 2)]
assert learner.meta_step(*batches)["outer_loss"].isfinite()
assert learner.fusion_step(batches[0])["loss"].isfinite()
assert learner.fuse(torch.rand(1, 1, 9, 7), torch.rand(1, 1, 9, 7)).shape == (1, 1, 9, 7)
log = learner.fit(items, epochs=1, meta_steps=1, work_dir=FOLDER)
assert len(log) == 1
metaloss.runtime.files.load(FOLDER + "/epoch_1.pth")
for name in ("colour", "data", "errors", "hypergradient", "inner", "losses", "networks", "plugins", "tasks"):
    getattr(metaloss, name)
print("done")
"""


def run(program, *options):
    return subprocess.run(
        [sys.executable, *options, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=300
    )


@pytest.mark.slow
@pytest.mark.parametrize("method", ["auto", "reverse"])
def test_the_learner_runs_with_every_other_package_blocked(method, tmp_path):
    program = BLOCK + USE.replace("METHOD", repr(method)).replace("FOLDER", repr(str(tmp_path)))
    result = run(program)
    assert (result.returncode, result.stdout) == (0, "done\n"), result.stderr


@pytest.mark.slow
def test_importing_loads_nothing_heavy():
    program = """
    import metaloss, sys
    metaloss.data, metaloss.networks, metaloss.plugins.records("tasks")
    heavy = "mmengine mmcv mmseg mmdet ultralytics timm torchvision rich typer PIL torchmetrics cv2 scipy matplotlib"
    print([name for name in heavy.split() if name in sys.modules])
    """
    result = run(program)
    assert result.stdout == "[]\n", result.stdout + result.stderr


def test_public_names():
    assert all(hasattr(metaloss, name) for name in metaloss.__all__)
    assert sorted(metaloss.__all__) == list(metaloss.__all__)
    with pytest.raises(AttributeError, match="no attribute 'MetaLerner'"):
        metaloss.MetaLerner  # noqa: B018
