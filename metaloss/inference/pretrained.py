"""The weights that come with the package: ``NAME.pth`` in its folder ``weights``, and beside it ``NAME.md``, its card.

A file that is put there is found, shipped and offered by its name; there is no list to be kept.
"""

from __future__ import annotations

from pathlib import Path

from metaloss.errors import CheckpointError, ConfigError, nearest

FOLDER = Path(__file__).parent.parent / "weights"
DEFAULT = "ivif"  # infrared and visible images


def shipped_weights() -> dict[str, Path]:
    """The files by name."""
    return {file.stem: file for file in sorted(FOLDER.glob("*.pth"))}


def shipped_file(name: str = DEFAULT) -> Path:
    """Finds the weights of a name.

    Raises:
        ConfigError: none have that name.
        CheckpointError: the package has none at all.
    """
    known = shipped_weights()
    if not known:
        raise CheckpointError(
            f"no weights come with this installation of metaloss ({FOLDER} has no .pth file): give a file, a "
            "checkpoint or what the authors of a network have published"
        )
    if name not in known:
        raise ConfigError(f"no weights {name!r} come with metaloss{nearest(name, known)}; there are {', '.join(known)}")
    return known[name]


def card_of(file: Path) -> Path | None:
    """The card of a file that comes with the package: what it has learnt from, what it is good for, and its limits."""
    card = file.with_suffix(".md")
    return card if file.parent == FOLDER and card.is_file() else None
