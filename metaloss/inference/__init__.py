"""Trained fusion networks at work: images of any kind and size, whole or in tiles, in colour."""

from metaloss.inference.finish import Colour, Stretch
from metaloss.inference.fuse import fuse_any_size, fuse_in_tiles
from metaloss.inference.fuser import Fuser

__all__ = ["Colour", "Fuser", "Stretch", "fuse_any_size", "fuse_in_tiles"]
