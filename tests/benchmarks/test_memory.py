import importlib.util
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "memory.py"


@pytest.mark.slow
def test_a_forward_meta_step_needs_about_the_memory_of_a_plain_step():
    spec = importlib.util.spec_from_file_location("memory", SCRIPT)
    memory = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(memory)
    results = memory.compare(size=160, batch=2, threads=1, repeats=1, steps=("plain", "forward", "reverse"))
    peaks = {step: result["memory"] for step, result in results.items()}
    assert peaks["plain"] > 100, "the measurement sees the activations"
    assert peaks["forward"] <= 1.4 * peaks["plain"], peaks
    assert peaks["forward"] <= 0.5 * peaks["reverse"], peaks
