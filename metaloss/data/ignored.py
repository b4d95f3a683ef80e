"""The class id that stands for "no class" in items."""

IGNORED = 255
