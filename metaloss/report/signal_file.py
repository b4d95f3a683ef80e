"""What the task asks of the fusion loss, kept in a file beside its maps."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from metaloss.errors import ConfigError
from metaloss.report.signal_table import Found
from metaloss.runtime.files import written_whole


@dataclass(frozen=True)
class SavedAsked:
    """What a class asks of a source, see :class:`metaloss.training.signal.Asked`; ``t`` is ``None`` of one pair."""

    mean: float
    t: float | None
    pairs: int


@dataclass(frozen=True)
class SavedUpdate:
    """What is asked under one inner update, see :class:`metaloss.training.signal.Signal`."""

    one_sided: float
    agreement: float | None
    regions: dict[str, dict[str, SavedAsked]]


@dataclass(frozen=True)
class SavedSignal:
    """What the doctor found.

    Attributes:
        asked: where, and at which weights, in words.
        own: the inner update that the config trains with.
        updates: by inner update.
        file: it was read from.
    """

    asked: Sequence[str]
    own: str
    updates: dict[str, SavedUpdate]
    file: Path = field(default=Path(), compare=False)

    @property
    def maps(self) -> Path:
        """The picture beside it."""
        return self.file.with_suffix(".png")


def write_signal(path: Path, found: Found, own: str, asked: Sequence[str]) -> None:
    """Keeps what the doctor found.

    Args:
        path: of the file.
        found: by inner update.
        own: the inner update that the config trains with.
        asked: where, and at which weights, in words.
    """
    updates = {
        name: SavedUpdate(
            signal.one_sided,
            _finite(signal.agreement),
            {
                region: {
                    source: SavedAsked(each.mean, _finite(each.t), each.pairs) for source, each in by_source.items()
                }
                for region, by_source in signal.regions.items()
            },
        )
        for name, signal in found.items()
    }
    content = {"asked": list(asked), "own": own, "updates": {name: asdict(each) for name, each in updates.items()}}
    with written_whole(path) as file:
        file.write(json.dumps(content, indent=1).encode())


def read_signal(path: Path) -> SavedSignal:
    """Reads what :func:`write_signal` has kept.

    Raises:
        ConfigError: the file is damaged, or something else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        updates = {str(name): _update(each) for name, each in content["updates"].items()}
        return SavedSignal([str(line) for line in content["asked"]], str(content["own"]), updates, path)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        raise ConfigError(f"{path}: not what `metaloss doctor --signal` writes, or damaged: ask again") from None


def _update(content: Any) -> SavedUpdate:
    regions = {
        str(region): {str(source): _asked(each) for source, each in by_source.items()}
        for region, by_source in content["regions"].items()
    }
    return SavedUpdate(float(content["one_sided"]), _number(content["agreement"]), regions)


def _asked(content: Any) -> SavedAsked:
    return SavedAsked(float(content["mean"]), _number(content["t"]), int(content["pairs"]))


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
