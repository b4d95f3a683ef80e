"""The words for what a learner holds, and for its two kinds of steps."""

from typing import Literal

Phase = Literal["meta", "fusion"]
Part = Literal["fusion", "task", "loss"]
PARTS: tuple[Part, ...] = ("fusion", "task", "loss")
