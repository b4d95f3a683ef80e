"""OpenMMLab's own MMSegmentation on an mmcv without compiled operators (``mmcv-lite``)."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import mmcv
import mmseg
from mmengine.utils import digit_version

from metaloss.errors import PluginError


class _Absent(ModuleType):
    """Stands where the compiled operators would be: any of them can be named, and none can be run."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__"):
            raise AttributeError(name)

        def operator(*arguments: Any, **options: Any) -> None:
            raise PluginError(
                f"mmcv's operator {name!r} is needed, and mmcv {mmcv.__version__} is installed without its compiled "
                "operators: install an mmcv that has them, or choose a network that needs none"
            )

        return operator


@contextmanager
def importable_without_operators() -> Iterator[None]:
    """Lets MMSegmentation be imported inside the block where mmcv has no compiled operators.

    Up to 1.2 it imports ``mmcv.ops`` whichever network is built, and so fails on ``mmcv-lite``; the continued packages
    do without. Of ``mmcv.ops`` it then has the parts that are plain torch; a compiled operator says so when it
    is called. For everyone else ``import mmcv.ops`` fails as before.
    """
    if digit_version(mmseg.__version__) >= digit_version("1.3") or importlib.util.find_spec("mmcv._ext") is not None:
        yield
        return
    sys.modules["mmcv._ext"] = _Absent("mmcv._ext")
    try:
        yield
    finally:
        for name in [name for name in sys.modules if name == "mmcv._ext" or (name + ".").startswith("mmcv.ops.")]:
            del sys.modules[name]
        for name in {"_ext", "ops"} & vars(mmcv).keys():
            delattr(mmcv, name)
