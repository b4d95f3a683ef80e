"""The package that a framework misses, found in what it raises."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re

# where a module's package goes by another name
_NAMES = {
    "sklearn": "scikit-learn",
    "cv2": "opencv-python",
    "clip": "git+https://github.com/openai/CLIP.git",
}
# the two families of OpenMMLab's packages overwrite each other's files: one that is missing is of the family here
_OPENMMLAB = {"mmpretrain": "onedl-mmpretrain", "mmseg": "onedl-mmsegmentation", "mmdet": "onedl-mmdetection"}
_ASKED_FOR = re.compile(r"pip\s+install\s+(?:-U\s+|--upgrade\s+)?[\"'`]?(git\+\S+|[A-Za-z][\w\-]*)")
_INSTALLED_BY = re.compile(r"mim\s+install\s+[\"'`]?([A-Za-z][\w\-]*)")
_NO_MODULE = re.compile(r"No module named '?([\w.]+)")


def missing_package(error: BaseException | None) -> str | None:
    """Finds what is to be installed.

    Args:
        error: of a framework; those that it came from are looked at, too.

    Returns:
        What ``pip install`` takes, or ``None`` where the error is about something else.
    """
    while error is not None:
        name = _named(error)
        if name is not None:
            return name
        error = error.__cause__ or error.__context__
    return None


def _named(error: BaseException) -> str | None:
    text = " ".join(str(error).split())
    module = _NO_MODULE.search(text) if isinstance(error, ImportError) else None
    if module:
        return _package(module[1].partition(".")[0])
    asked = _INSTALLED_BY.search(text) or _ASKED_FOR.search(text)
    return _package(asked[1].rstrip(".\"'`")) if asked else None


def _package(name: str) -> str | None:
    if _importable(name):  # it is there: the error is about a part of it
        return None
    if name in _OPENMMLAB and _continued_family():
        return _OPENMMLAB[name]
    return _NAMES.get(name, name)


def _importable(name: str) -> bool:
    try:
        return importlib.util.find_spec(name.replace("-", "_")) is not None
    except (ImportError, ValueError):
        return False


def _continued_family() -> bool:
    try:
        importlib.metadata.distribution("onedl-mmengine")
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
