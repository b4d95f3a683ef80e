import os
import pickle
import random
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import torch

from metaloss import CheckpointError
from metaloss.runtime import files


class Code:
    def __reduce__(self):
        return (os.getcwd, ())


class Unpicklable:
    def __reduce__(self):
        raise LookupError("not to be written")


def test_there_and_back(tmp_path):
    content = {"a": torch.rand(3), "plain": [1, 2.5, "x", None, (True,)], "nested": {"b": torch.arange(4)}}
    path = tmp_path / "deep" / "er" / "file.pth"
    files.save(path, content)
    found = files.load(path)
    assert torch.equal(found["a"], content["a"])
    assert torch.equal(found["nested"]["b"], content["nested"]["b"])
    assert found["plain"] == content["plain"]
    assert [each.name for each in path.parent.iterdir()] == ["file.pth"]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "file.pth"
    files.save(path, {"a": 1})
    before = path.read_bytes()
    with pytest.raises(CheckpointError, match="b is a Unpicklable"):
        files.save(path, {"a": torch.rand(1000), "b": Unpicklable()})
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["file.pth"]


def test_files_that_cannot_be_read_are_one_line(tmp_path):
    files.save(tmp_path / "whole.pth", {"a": torch.rand(1000)})
    whole = (tmp_path / "whole.pth").read_bytes()
    for size in (1, 10, 100, len(whole) // 2, len(whole) - 1):
        (tmp_path / f"cut{size}.pth").write_bytes(whole[:size])
    (tmp_path / "empty.pth").touch()
    (tmp_path / "code.pth").write_bytes(pickle.dumps({"a": Code()}))
    torch.save({"a": Code()}, tmp_path / "torch_code.pth")
    torch.save(torch.rand(2), tmp_path / "tensor.pth")
    (tmp_path / "text.pth").write_text("fusion = 1\n" * 50)
    generator = random.Random(0)
    for number in range(100):
        (tmp_path / f"noise{number}.pth").write_bytes(generator.randbytes(generator.randrange(1, 300)))
    (tmp_path / "whole.pth").unlink()
    for path in [*tmp_path.iterdir(), tmp_path / "absent.pth", tmp_path]:
        with pytest.raises(CheckpointError) as caught:
            files.load(path)
        assert "\n" not in str(caught.value)
        assert str(caught.value).startswith(f"{path}: ")


def test_all_generators_go_on_where_they_were(tmp_path):
    def draw():
        return (
            torch.rand(2).tolist(),
            np.random.rand(2).tolist(),
            np.random.normal(),
            random.random(),
            random.gauss(0, 1),
        )

    draw()
    files.save(tmp_path / "random.pth", files.random_state())
    expected = draw(), draw()
    files.restore_random_state(files.load(tmp_path / "random.pth"))
    assert (draw(), draw()) == expected


def test_one_flipped_byte_is_found_or_changes_nothing(tmp_path):
    path = tmp_path / "x.pth"
    state = {"a": torch.arange(400.0), "b": {"c": [1, 2.5, "three"]}}
    files.save(path, state)
    whole = path.read_bytes()
    draws = random.Random(0)
    for _ in range(100):
        content = bytearray(whole)
        content[draws.randrange(len(content))] ^= 1 << draws.randrange(8)
        path.write_bytes(content)
        try:
            found = files.load(path)
        except CheckpointError:
            pass
        else:
            assert torch.equal(found["a"], state["a"])
            assert found["b"] == state["b"]


def test_files_that_unpack_to_more_than_they_are(tmp_path):
    files.save(tmp_path / "x.pth", {"a": torch.zeros(10**6)})
    with (
        zipfile.ZipFile(tmp_path / "x.pth") as whole,
        zipfile.ZipFile(tmp_path / "packed.pth", "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for name in whole.namelist():
            packed.writestr(name, whole.read(name))
    assert (tmp_path / "packed.pth").stat().st_size < 10**5
    with pytest.raises(CheckpointError, match=r"not written by torch: .* is compressed"):
        files.load(tmp_path / "packed.pth")


def test_a_link_in_the_place_of_a_partial_file_is_never_followed(tmp_path, monkeypatch):
    victim = tmp_path / "victim"
    victim.write_text("mine")
    monkeypatch.setattr(files, "partial_name", lambda name: "guessed.partial")
    (tmp_path / "guessed.partial").symlink_to(victim)
    with pytest.raises(CheckpointError, match="File exists"):
        files.save(tmp_path / "x.pth", {"a": 1})
    assert victim.read_text() == "mine"


@pytest.mark.parametrize("name", ["x" * 251 + ".pth", "ü" * 125 + ".pth"])
def test_names_as_long_as_a_system_allows(tmp_path, name):
    files.save(tmp_path / name, {"a": 1})
    assert files.load(tmp_path / name) == {"a": 1}
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_full_disk_leaves_what_was_there_and_is_said_of_the_file(tmp_path, full_disk):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(OSError, match="No space left") as error, files.written_whole(path) as file:
        file.write(b"new")
    assert error.value.filename == str(path)
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["a.txt"]


FULL = """
import resource, sys, torch
from metaloss.errors import CheckpointError
from metaloss.runtime import files
files.save(sys.argv[1], {"x": torch.zeros(10)})
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
for size in (10_000, 4_000_000):
    try:
        files.save(sys.argv[1], {"x": torch.ones(size)})
    except CheckpointError as error:
        print(error)
print(files.load(sys.argv[1])["x"].tolist() == [0] * 10)
"""


@pytest.mark.slow
def test_what_is_whole_stays_whole_when_no_more_can_be_written(tmp_path):
    path = tmp_path / "epoch_1.pth"
    done = subprocess.run([sys.executable, "-c", FULL, path], capture_output=True, text=True, check=True)
    *lines, whole = done.stdout.splitlines()
    assert lines == 2 * [
        f"{path}: cannot be written (File too large); older checkpoints are as they were: make room, or let the folder "
        "be written, and resume"
    ]
    assert whole == "True"
    assert [each.name for each in tmp_path.iterdir()] == ["epoch_1.pth"]
