"""Packages that import their names when asked."""

import importlib.util
import subprocess
import sys

import pytest

import metaloss
import metaloss.data.known
import metaloss.inference
import metaloss.plugins

HEAVY = ("torch", "numpy", "PIL", "yaml", "mmengine", "timm", "mmseg", "mmdet", "ultralytics", "torchvision")


@pytest.mark.parametrize(
    "package", [metaloss, metaloss.data, metaloss.data.known, metaloss.inference, metaloss.plugins]
)
def test_every_name_is_where_the_table_says_and_no_module_takes_its_place(package):
    assert set(package.__all__) - {"__version__"} <= package._PLACES.keys() | vars(package).keys()
    for name, place in package._PLACES.items():
        value = getattr(package, name)
        if place != name:
            assert importlib.util.find_spec(f"{package.__name__}.{name}") is None, name
            assert value is getattr(importlib.import_module(f"{package.__name__}.{place}"), name)
    with pytest.raises(AttributeError, match=f"module '{package.__name__}' has no attribute 'nothing'"):
        package.nothing  # noqa: B018


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["data", "list", "fmb"], "fmb: FMB"),
        (["list"], "cddfuse"),
        (["--help"], "downstream"),
        (["data", "-h"], "convert"),
    ],
)
def test_what_only_tells_needs_no_torch(arguments, word):
    program = (
        f"import sys; from metaloss.cli.main import main\n"
        f"try: main({arguments})\n"
        f"except SystemExit as end: print(end.code, [name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    assert word in done.stdout
    assert done.stdout.endswith("\n0 []\n")


def test_the_learner_starts_and_fuses_without_torchs_compiler():
    program = (
        "import sys, metaloss\n"
        "print('torch' in sys.modules)\n"
        "import torch\n"
        "with torch.no_grad(): metaloss.networks.ReFusionNet()(*[torch.rand(1, 1, 400, 300)] * 2)  # in bands\n"
        "metaloss.MetaLearner\n"
        "print([name for name in ('torch._dynamo', 'torchvision', 'torchmetrics') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout == "False\n[]\n"
