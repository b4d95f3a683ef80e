"""The scenes of trees in which no folder belongs to one source."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from metaloss.data.formats import FORMATS
from metaloss.data.known.order import natural
from metaloss.data.pairing import Pair
from metaloss.errors import DataError

_ENDING = re.compile(r"(.+)[-_]([ab])", re.IGNORECASE)
_COLOURED = re.compile(r"[-_]rg$", re.IGNORECASE)
# in TNO, by what a file is called, else by its folder; APC_2 and bunker have names of their own
_INFRARED = re.compile(r"(^|[-_])(lw)?ir([-_\d]|$)|^2_fk", re.IGNORECASE)
_VISIBLE = re.compile(r"(^|[-_])vis([-_\d]|$)|^1_fk|^bunker_r$", re.IGNORECASE)
_FOLDERS = {"thermal": "ir", "rad": "ir", "visual": "vi", "dhv": "vi"}
_SHOWN = 3


def lytro_pairs(tree: Path) -> list[Pair]:
    """Pairs ``x-A.jpg`` with ``x-B.jpg`` of one folder.

    Args:
        tree: the folder; what is in its subfolders is another series.

    Returns:
        The pairs, in the order of their names; empty where nothing is called so.

    Raises:
        DataError: one of two is missing.
    """
    found: dict[str, dict[str, Path]] = defaultdict(dict)
    for stem, letter, file in _lettered(tree):
        found[stem][letter] = file
    return _complete(tree, found)


def mefb_pairs(tree: Path) -> list[Pair]:
    """Pairs ``x_A`` with ``x_B`` of each folder, and calls the scene as the folder; capitals do not count.

    Args:
        tree: MEFB's folder, or its folder ``input``.

    Returns:
        The pairs, in the order of their names; empty where nothing is called so.

    Raises:
        DataError: one of two is missing.
    """
    inputs = next((folder for folder in _subfolders(tree) if folder.name.lower() == "input"), tree)
    found = {folder.name: {letter: file for _, letter, file in _lettered(folder)} for folder in _subfolders(inputs)}
    return _complete(inputs, {name: files for name, files in found.items() if files})


def tno_pairs(tree: Path) -> list[Pair]:
    """Pairs the thermal and the visible images of each scene, and those of each frame of a sequence, by number.

    Args:
        tree: the folder that holds the scenes, in any depth.

    Returns:
        The pairs, in the order of their names. Scenes without a thermal image (of near infrared alone) are left out.
    """
    scenes: dict[Path, dict[str, list[Path]]] = defaultdict(lambda: {"ir": [], "vi": []})
    for file in tree.rglob("*"):
        if file.suffix.lower() in FORMATS and not file.name.startswith("."):
            of_folder = _FOLDERS.get(file.parent.name.lower())
            kind = of_folder or _kind(file.stem)
            if kind is not None:
                scenes[file.parent.parent if of_folder else file.parent][kind].append(file)
    pairs = [pair for scene, files in scenes.items() for pair in _of_scene(tree, scene, files["ir"], files["vi"])]
    return sorted(pairs, key=lambda pair: natural(pair.name))


def _kind(stem: str) -> str | None:
    if _COLOURED.search(stem):
        return None
    return "ir" if _INFRARED.search(stem) else "vi" if _VISIBLE.search(stem) else None


def _of_scene(tree: Path, scene: Path, infrared: list[Path], visible: list[Path]) -> Iterable[Pair]:
    folders = [folder for folder in scene.relative_to(tree).parts if not folder.lower().endswith("_images")]
    if len(infrared) == len(visible) == 1 and folders:
        yield Pair("_".join(folders), (infrared[0], visible[0]))
        return
    by_number = {_number(file): file for file in visible}
    for file in infrared:
        number = _number(file)
        if number in by_number:
            yield Pair("_".join([*folders, number]), (file, by_number[number]))


def _number(file: Path) -> str:
    return next(iter(reversed(re.findall(r"\d+", file.stem))), "")


def _lettered(folder: Path) -> Iterable[tuple[str, str, Path]]:
    """Stem, letter and file of each image whose name ends in A or B."""
    for file in sorted(folder.iterdir()):
        found = _ENDING.fullmatch(file.stem)
        if found is not None and file.suffix.lower() in FORMATS and not file.name.startswith("."):
            yield found[1], found[2].lower(), file


def _subfolders(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if entry.is_dir())


def _complete(folder: Path, found: dict[str, dict[str, Path]]) -> list[Pair]:
    lonely = [next(iter(files.values())).name for files in found.values() if len(files) == 1]
    if lonely and len(lonely) == len(found):  # names that end in A or B by chance
        return []
    if lonely:
        more = f" and {len(lonely) - _SHOWN} more" if len(lonely) > _SHOWN else ""
        raise DataError(f"{folder}: no partner for {', '.join(lonely[:_SHOWN])}{more}: add it, or remove the odd one")
    pairs = [Pair(name, (files["a"], files["b"])) for name, files in found.items()]
    return sorted(pairs, key=lambda pair: natural(pair.name))
