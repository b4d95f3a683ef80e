"""What the weights that come with metaloss are worth: their images beside those of published networks.

    python -m benchmarks.pretrained --data FOLDER [--weights ivif] [--sets tno vifb ...] [--out FOLDER]

``FOLDER`` holds the data sets of ``SETS``, and published weights in ``peers`` and ``refusion_official``; what is not
there is left out, and said. Prints a table for each data set, by one convention, with the first and second place of
each metric marked. Images that are there already are taken as they are.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.evidence.arguments import run_command
from metaloss.data import pair_folders, read_image, write_image
from metaloss.data.views import resize
from metaloss.errors import MetaLossError

METRICS = "EN,SCD,VIF,Qabf,SSIM"
CONVENTION = "tdfusion"
OURS = "ours"

REFUSION, REFUSION_MEDICAL = "refusion_official/ReFusion_IVIF.pth", "refusion_official/ReFusion_MIF.pth"
IFCNN, DENSEFUSE = "peers/ifcnn/IFCNN-MAX.pth", "peers/densefuse/densefuse_gray.model"
SEAFUSION, U2FUSION = "peers/seafusion/SeAFusion.pth", "peers/u2fusion/model.pth"


@dataclass(frozen=True)
class Set:
    """Pairs, and who is compared on them.

    Attributes:
        sources: two folders; the first is the network's first source.
        published: folders of published fused images by name.
        weights: published weights by name.
        resized: the second is resized to the size of the first.
    """

    sources: tuple[str, str]
    published: dict[str, str]
    weights: dict[str, str]
    resized: bool = False


SETS = {
    "tno": Set(
        ("metric_reference_tno/ir", "metric_reference_tno/vi"),
        {name: f"metric_reference_tno/fused/{name}" for name in ("DenseFuse", "IFCNN", "SeAFusion", "U2Fusion")},
        {"ReFusion": REFUSION},
    ),
    "vifb": Set(
        ("vifb/ir", "vifb/vi"),
        {name: f"vifb/fused/{name}" for name in ("IFCNN", "U2Fusion", "SwinFusion")},
        {"ReFusion": REFUSION},
    ),
    "roadscene": Set(
        ("roadscene_train/ir", "roadscene_train/vi"),
        {},
        {"DenseFuse": DENSEFUSE, "IFCNN": IFCNN, "SeAFusion": SEAFUSION, "U2Fusion": U2FUSION, "ReFusion": REFUSION},
        resized=True,
    ),
    "msrs": Set(
        ("msrs_det_large/ir", "msrs_det_large/vi"),
        {"SeAFusion": "msrs_det_large/fused_seafusion"},
        {"IFCNN": IFCNN, "ReFusion": REFUSION},
    ),
    **{
        f"medical_{kind}": Set(
            (f"medical_train/MRI_{kind}/{kind}", f"medical_train/MRI_{kind}/MRI"),
            {},
            {"IFCNN": IFCNN, "U2Fusion": U2FUSION, "ReFusion": REFUSION_MEDICAL},
        )
        for kind in ("CT", "PET", "SPECT")
    },
    "focus": Set(("multifocus/A", "multifocus/B"), {}, {"IFCNN": IFCNN, "U2Fusion": U2FUSION, "DenseFuse": DENSEFUSE}),
    "exposure": Set(
        ("multiexposure/A", "multiexposure/B"), {}, {"IFCNN": IFCNN, "U2Fusion": U2FUSION, "DenseFuse": DENSEFUSE}
    ),
}


def metaloss(*arguments: str) -> str:
    """Runs a command as anybody would, and gives what it prints.

    Raises:
        MetaLossError: it failed.
    """
    command = [sys.executable, "-W", "ignore", "-m", "metaloss", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise MetaLossError(f"metaloss {' '.join(arguments)}: {done.stderr.strip()[-500:]}")
    return done.stdout


def sources_of(each: Set, data: Path, out: Path) -> tuple[str, str]:
    """The folders of the sources; where their sizes differ, of copies that agree."""
    first, second = (data / source for source in each.sources)
    if not each.resized:
        return str(first), str(second)
    for pair in pair_folders([first, second]):
        images = [read_image(file) for file in pair.sources]
        for folder, image in zip((first.name, second.name), images, strict=True):
            write_image(out / folder / f"{pair.name}.png", resize(image, images[0].shape[-2:]))
    return str(out / first.name), str(out / second.name)


def table_of(name: str, weights: str, data: Path, out: Path) -> str:
    """Fuses the pairs of one data set with all networks, and measures their images and the published ones."""
    each = SETS[name]
    out = out / name
    first, second = sources_of(each, data, out)
    fused = {}
    files = {key: str(data / file) for key, file in each.weights.items()}
    for method, file in {OURS: weights, **files}.items():
        if method != OURS and not Path(file).is_file():
            print(f"{name}: {method} is left out, no {file}", file=sys.stderr)
            continue
        fused[method] = out / method
        if not fused[method].is_dir():
            unfinished = out / f"{method}.unfinished"
            metaloss("fuse", first, second, "--weights", file, "--out", str(unfinished))
            unfinished.rename(fused[method])
    for method, folder in each.published.items():
        fused[method] = data / folder
    given = [part for method, folder in fused.items() for part in ("--fused", f"{method}={folder}")]
    return metaloss(
        "evaluate", first, second, *given, "--metrics", METRICS, "--convention", CONVENTION, "--format", "md"
    )


def main(arguments: list[str] | None = None) -> None:
    """Fuses, measures and prints."""
    reader = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    reader.add_argument("--data", type=Path, required=True, help="the folder of the data sets")
    reader.add_argument("--weights", default="ivif", help="a name of those that come with metaloss, or a file")
    reader.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS), metavar="SET", help=", ".join(SETS))
    reader.add_argument("--out", type=Path, default=Path("work_dirs/pretrained"), help="for the fused images")
    given = reader.parse_args(arguments)
    for name in given.sets:
        if not all((given.data / source).is_dir() for source in SETS[name].sources):
            print(f"{name} is left out, no {given.data / SETS[name].sources[0]}", file=sys.stderr)
            continue
        print(f"## {name}\n\n{table_of(name, given.weights, given.data, given.out)}", flush=True)


if __name__ == "__main__":
    run_command(main)
