"""Labels as people have them, to what a data set reads: colours to ids, outlines to masks or boxes, fewer classes.

Coordinates are continuous: the first pixel reaches from 0 to 1. A pixel belongs to an outline when its centre lies
inside.
"""

from metaloss.data.convert.conversion import convert_labels
from metaloss.data.convert.outcome import Outcome

__all__ = ["Outcome", "convert_labels"]
