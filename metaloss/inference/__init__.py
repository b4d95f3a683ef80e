"""Trained fusion networks at work: images of any size, whole or in tiles, in colour."""

from metaloss.inference.fuse import fuse_any_size, fuse_in_tiles
from metaloss.inference.fuser import Colour, Fuser, Stretch

__all__ = ["Colour", "Fuser", "Stretch", "fuse_any_size", "fuse_in_tiles"]
