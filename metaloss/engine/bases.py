"""Lets MMEngine's configs build on the shipped ones: ``_base_ = 'metaloss::tdfusion/segformer_synthetic.py'``.

MMEngine finds ``mmseg::...`` by a fixed table of packages. ``Config.fromfile`` alone reads ``metaloss::...`` once
this module is imported, which ``import metaloss.engine`` does.
"""

from __future__ import annotations

from pathlib import Path

from mmengine.config import Config

import metaloss.configs

OURS = "metaloss::"
FOLDER = Path(metaloss.configs.__path__[0])
_find_other = Config._get_cfg_path


def find_base(name: str, filename: str) -> tuple[str, str | None]:
    """Finds a file that a config builds on.

    Args:
        name: as the config writes it.
        filename: the config.

    Returns:
        The path, and the scope that its types are of, where that is another than the config's own.
    """
    if name.startswith(OURS):
        return str(FOLDER / name.removeprefix(OURS)), None
    path, scope = _find_other(name, filename)
    return str(path), scope


Config._get_cfg_path = staticmethod(find_base)
