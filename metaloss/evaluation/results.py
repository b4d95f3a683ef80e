"""Results of runs as JSON files beside them, so that a stopped comparison goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from metaloss.errors import CheckpointError, ConfigError
from metaloss.runtime.files import written_whole


def write_result(path: Path, settings: Mapping[str, Any], metrics: Mapping[str, float], **more: Any) -> None:
    """Writes what a run gave and with which settings, never half.

    Args:
        path: the file; its folder is made when missing.
        settings: plain values.
        metrics: by name.
        more: further plain values that belong to the run.
    """
    content = {"settings": settings, "metrics": metrics, **more}
    with written_whole(path) as file:
        file.write((json.dumps(content, indent=2, default=str) + "\n").encode())


def read_result(path: Path, settings: Mapping[str, Any]) -> dict[str, float] | None:
    """Reads the metrics of a finished run.

    Args:
        path: the file.
        settings: of the run that is asked for.

    Returns:
        The metrics by name, or ``None`` when there is no such file.

    Raises:
        CheckpointError: the file is not a result.
        ConfigError: it is one of a run with other settings.
    """
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        found, metrics = content["settings"], content["metrics"]
        values = {str(name): float(value) for name, value in metrics.items()}
        plain = json.loads(json.dumps(settings, default=str))
        other = [key for key in plain if found.get(key) != plain[key]]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise CheckpointError(f"{path}: not a result of such a run; remove it") from None
    if other:
        raise ConfigError(
            f"{path} was made with other settings ({', '.join(other)}; {other[0]} was {found.get(other[0])!r}): "
            "give another folder, or remove it"
        )
    return values
