"""Procedural infrared and visible street scenes with ground truth, for demonstrations and tests.

A person shows in the infrared image alone (in the visible one the silhouette carries exactly what
lies behind it), a sign in the visible image alone (it has the temperature of what lies behind it),
a car in both: a fused image serves all three classes only when it takes from each source what that
source alone knows.
"""

from metaloss.data.synthetic.classes import CONDITIONS, OBJECTS, VISIBILITY
from metaloss.data.synthetic.dataset import SyntheticScenes, write_scenes
from metaloss.data.synthetic.scene import SyntheticScene

__all__ = ["CONDITIONS", "OBJECTS", "VISIBILITY", "SyntheticScene", "SyntheticScenes", "write_scenes"]
