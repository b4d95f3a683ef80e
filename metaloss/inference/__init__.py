"""Trained fusion networks at work: images of any kind and size, whole or in tiles, in colour."""

from typing import TYPE_CHECKING

from metaloss.runtime.lazy import lazily

if TYPE_CHECKING:
    from metaloss.inference.finish import Colour, Stretch
    from metaloss.inference.fuse import fuse_any_size, fuse_in_tiles
    from metaloss.inference.fuser import Fuser

__all__ = ["Colour", "Fuser", "Stretch", "fuse_any_size", "fuse_in_tiles"]

_PLACES = {
    "Colour": "finish",
    "Fuser": "fuser",
    "Stretch": "finish",
    "fuse_any_size": "fuse",
    "fuse_in_tiles": "fuse",
}

if not TYPE_CHECKING:  # seen by a type checker, it would make any misspelt name a right one
    __getattr__ = lazily(__name__, _PLACES)
