"""The file of what the task asks of the loss."""

import math

import pytest

from metaloss.errors import ConfigError
from metaloss.report.signal_file import SavedAsked, SavedUpdate, read_signal, write_signal
from metaloss.training.signal import Asked, Signal


def test_what_is_written_is_read(tmp_path):
    regions = {"car": {"ir": Asked(0.5, 3.0, 12), "vi": Asked(-0.5, -math.inf, 2)}}
    found = {"image": Signal(0.25, math.nan, regions, ()), "network": Signal(1.0, 0.5, {}, ())}
    write_signal(tmp_path / "signal.json", found, "image", ["x, after 9 steps", "by 12 pairs"])
    kept = read_signal(tmp_path / "signal.json")
    assert (kept.own, kept.asked, kept.maps) == ("image", ["x, after 9 steps", "by 12 pairs"], tmp_path / "signal.png")
    asked = {"car": {"ir": SavedAsked(0.5, 3.0, 12), "vi": SavedAsked(-0.5, None, 2)}}
    assert kept.updates == {"image": SavedUpdate(0.25, None, asked), "network": SavedUpdate(1.0, 0.5, {})}


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"updates": {"image": {}}, "asked": [], "own": "image"}'])
def test_other_files_are_refused(tmp_path, content):
    (tmp_path / "signal.json").write_text(content)
    with pytest.raises(ConfigError, match=r"signal\.json: not what"):
        read_signal(tmp_path / "signal.json")
