"""What can be found out again: small files in the user's cache folder, which anybody may delete."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from metaloss.runtime.files import written_whole

_KEPT = 100  # files of one kind


def cache_folder() -> Path:
    """``$XDG_CACHE_HOME/metaloss``, or ``~/.cache/metaloss``.

    Raises:
        RuntimeError: the user has no home.
    """
    given = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(given) if os.path.isabs(given) else Path.home() / ".cache") / "metaloss"


def recall(kind: str, name: str) -> dict[str, Any]:
    """Reads what was kept.

    Args:
        kind: the folder in the cache.
        name: of the file, without suffix.

    Returns:
        The content; empty where there is none, or none that can be read.
    """
    try:
        content = json.loads((cache_folder() / kind / f"{name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RuntimeError):  # no home, damaged, nested too deeply
        return {}
    return content if isinstance(content, dict) else {}


def keep(kind: str, name: str, content: dict[str, Any]) -> None:
    """Keeps something, and removes the oldest files of its kind when there are many; does nothing where it cannot.

    Args:
        kind: the folder in the cache.
        name: of the file, without suffix.
        content: what json can hold.
    """
    with suppress(OSError, RuntimeError):
        folder = cache_folder() / kind
        with written_whole(folder / f"{name}.json") as file:
            file.write(json.dumps(content, separators=(",", ":")).encode())
        files = sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime, reverse=True)
        for path in files[_KEPT:]:
            path.unlink(missing_ok=True)
