import pytest

from metaloss.errors import CheckpointError, ConfigError
from metaloss.evaluation.results import read_result, write_result

SETTINGS = {"epochs": 3, "size": (16, 20), "data": {"root": "scenes"}}


def test_what_was_written_is_read(tmp_path) -> None:
    write_result(tmp_path / "a" / "result.json", SETTINGS, {"mIoU": 0.5})
    assert read_result(tmp_path / "a" / "result.json", SETTINGS) == {"mIoU": 0.5}
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["result.json"]


def test_nothing_is_there_yet(tmp_path) -> None:
    assert read_result(tmp_path / "result.json", SETTINGS) is None


def test_a_result_of_other_settings_is_not_taken_up(tmp_path) -> None:
    write_result(tmp_path / "result.json", SETTINGS, {"mIoU": 0.5})
    with pytest.raises(ConfigError, match=r"made with other settings \(epochs; epochs was 3\): give another folder"):
        read_result(tmp_path / "result.json", {**SETTINGS, "epochs": 4})


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"settings": {}, "metrics": 3}', '{"settings": 1, "metrics": {}}'])
def test_a_file_that_is_no_result(tmp_path, text) -> None:
    (tmp_path / "result.json").write_text(text)
    with pytest.raises(CheckpointError, match="not a result"):
        read_result(tmp_path / "result.json", SETTINGS)
