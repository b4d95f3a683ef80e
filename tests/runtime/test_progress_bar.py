"""A bar draws nothing from the generators that a training depends on."""

import subprocess
import sys

ALONE = """
import random
from metaloss.runtime.progress_bar import progress_bar
random.seed(0)
before = random.getstate()
with progress_bar("label", 2) as advance:
    advance("note")
print(random.getstate() == before)
"""


def test_the_first_bar_of_a_process_draws_nothing():
    assert subprocess.check_output([sys.executable, "-c", ALONE], text=True) == "True\n"
