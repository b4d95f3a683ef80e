"""Builds the wheel, installs it into an empty environment, and uses it there as a stranger would.

One Python and one torch at a time: ``python tests/install/check_wheel.py --python python3.12 --torch 2.8.0 --tests``.
With ``--tests`` the core tests follow: the fast ones of the parts that need no framework.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("metaloss", "adapters")
CORE = (
    *(f"tests/{name}" for name in ("data", "hypergradient", "inner", "inference", "losses", "metrics", "networks")),
    *(f"tests/{name}" for name in ("plugins", "report", "runtime", "tasks", "testing", "training", "adapters/fusion")),
    *(f"tests/test_{name}.py" for name in ("batch", "colour", "import", "published_idioms")),
)
TEST_PACKAGES = (
    *("hypothesis", "pytest>=8", "pytest-timeout", "scikit-image", "scipy"),
    *("av", "matplotlib", "opencv-python-headless"),
)

SCRIPT = """
import platform
from pathlib import Path

import metaloss
import numpy as np
import torch
from metaloss.data import SyntheticScenes
from PIL import Image

segmentation = torch.nn.Conv2d(1, 4, 3, padding=1)
learner = metaloss.MetaLearner(
    fusion=metaloss.networks.ReFusionNet(),
    loss=metaloss.LearnableFusionLoss(alpha=1.0),
    task=metaloss.ModuleTask(segmentation, torch.nn.functional.cross_entropy),
)
learner.fit(SyntheticScenes(8, size=(48, 64)), epochs=1, meta_steps=2, work_dir="run")
learner.save("mine.pth")
scene = SyntheticScenes(1, size=(120, 160), seed=1)[0]["sources"]
for name, image in zip(("ir", "vi"), scene):
    Path(name).mkdir()
    Image.fromarray((image[0].numpy() * 255).astype(np.uint8)).save(f"{name}/scene.png")
fused = metaloss.Fuser.load("mine.pth")(Image.open("ir/scene.png"), Image.open("vi/scene.png"))
assert fused.size == (160, 120) and np.ptp(np.asarray(fused)) > 5
print(f"Python {platform.python_version()}, torch {torch.__version__}, numpy {np.__version__}")
print(metaloss.__file__)
"""


def main() -> None:
    """Runs the command; its status is 1 where a file is missing in the wheel or something does not work."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--python", default=sys.executable, help="the interpreter; default: this one")
    parser.add_argument("--torch", metavar="VERSION", help="default: what pip chooses")
    parser.add_argument("--tests", action="store_true", help="run the core tests too")
    parser.add_argument("--folder", type=Path, help="where the environment is made; default: a temporary folder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        check(folder, options.python, options.torch, tests=options.tests)


def check(folder: Path, python: str, torch: str | None, *, tests: bool) -> None:
    """Builds, installs, uses and, where asked, tests; exits at the first thing that fails."""
    wheel = build(folder / "dist", python)
    left_out = missing(wheel)
    if left_out:
        sys.exit(f"not in {wheel.name}: {', '.join(left_out)}")
    print(f"{wheel.name}: all files of {' and '.join(PACKAGES)} are in it, {wheel.stat().st_size / 1e6:.2f} MB")
    run([python, "-m", "venv", folder / "venv"], folder)
    programs = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
    pip = [programs / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run([*pip, wheel, *([] if torch is None else [f"torch=={torch}"])], folder)
    use(folder, programs, shipped=[Path(name).stem for name in names(wheel) if name.endswith(".pth")])
    if tests:
        run([*pip, *TEST_PACKAGES], folder)
        core_tests(folder, programs / "python")


def build(folder: Path, python: str = sys.executable, *options: str) -> Path:
    """Builds the wheel from a copy, so that nothing is left in the project, and nothing left there gets in.

    Args:
        folder: where the wheel goes.
        python: the interpreter whose pip builds it.
        options: more of pip's.
    """
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(temporary, "metaloss")
        copy.mkdir()
        for name in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(ROOT / name, copy)
        for name in PACKAGES:
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        pip = [python, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps", *options]
        run([*pip, "--wheel-dir", folder, copy], Path(temporary))
    [wheel] = folder.glob("metaloss-*.whl")
    return wheel


def names(wheel: Path) -> list[str]:
    """The files in a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def missing(wheel: Path) -> list[str]:
    """What lies in the packages' folders and not in the wheel."""
    here = {
        path.relative_to(ROOT if package == "metaloss" else ROOT / package).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    return sorted(here - set(names(wheel)))


def use(folder: Path, programs: Path, shipped: list[str]) -> None:
    """Trains, saves and fuses by a script, then fuses and asks by the command, in a folder with nothing else in it."""
    place = folder / "use"
    place.mkdir()
    (place / "first.py").write_text(SCRIPT)
    said = run([programs / "python", "first.py"], place)
    if not Path(said.splitlines()[-1]).is_relative_to(folder.resolve()):
        sys.exit(f"another metaloss was imported: {said}")
    command = programs / "metaloss"
    run([command, "--version"], place)
    run([command, "list"], place)
    run([command, "info", "mine.pth"], place)
    fuse = [command, "fuse", "ir", "vi", "--out"]
    run([*fuse, "fused", "--weights", "mine.pth"], place)
    for name in shipped:
        run([*fuse, f"fused_{name}", "--weights", name], place)
    run([command, "evaluate", "ir", "vi", "--fused", "fused", "--metrics", "EN,SSIM"], place)


def core_tests(folder: Path, python: Path) -> None:
    """Runs the fast tests of the parts that need no framework, on the package that is installed."""
    place = folder / "tests_of_it"
    place.mkdir()
    for name in ("tests", "docs", "examples"):
        shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, place)
    run([python, "-m", "pytest", "-q", "-m", "not slow", *CORE], place)


def run(command: list[str | Path], place: Path) -> str:
    """Runs a command in a folder, where nothing of this project is on the path; exits where it fails."""
    words = list(map(str, command))
    print("$", shlex.join(words), flush=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "METALOSS"))}
    start = time.monotonic()
    done = subprocess.run(
        words,
        cwd=place,
        env={**environment, "PYTHONNOUSERSITE": "1", "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "2")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    lines = done.stdout.strip().splitlines()
    shown = [line for line in lines if not line.startswith("WARNING")]
    print("\n".join(f"  {line}" for line in (shown[-4:] if done.returncode == 0 else shown[-60:])))
    print(f"  {time.monotonic() - start:.0f} s", flush=True)
    if done.returncode:
        sys.exit(f"failed with status {done.returncode}")
    return done.stdout.strip()


if __name__ == "__main__":
    main()
