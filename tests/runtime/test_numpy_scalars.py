import pickle

import numpy as np
import pytest
import torch

from metaloss.errors import CheckpointError
from metaloss.runtime import files

needs_safe_globals = pytest.mark.skipif(
    not hasattr(torch.serialization, "safe_globals"), reason="torch 2.4 reads no numbers of NumPy"
)


@needs_safe_globals
@pytest.mark.parametrize("old_form", [True, False])
def test_numbers_of_numpy_come_back_as_plain_ones(old_form, tmp_path):
    numbers = [np.float64(1 / 3), np.float32(0.25), np.float16(2), np.int64(-7), np.uint8(250), np.bool_(True)]
    numbers += [np.array(5.5, dtype=">f8")[()]]
    torch.save(
        {"numbers": numbers, "x": torch.ones(1)}, tmp_path / "a.pth", _use_new_zipfile_serialization=not old_form
    )
    read = files.load(tmp_path / "a.pth")["numbers"]
    assert read == [number.item() for number in numbers]
    assert {type(number) for number in read} == {float, int, bool}


class Forged:
    """Something whose pickle calls NumPy's ``scalar``, or another of its functions, with given arguments."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


SCALAR = np.float64(1).__reduce__()[0]
SHORT = (SCALAR, np.dtype("f8"), b"1234")
OBJECT = (SCALAR, np.dtype("O"), b"12345678")
FIELDS = (SCALAR, np.dtype([("a", "O"), ("b", "f8")]), b"1234567812345678")
TEXT = (SCALAR, np.dtype("U4"), b"a\0\0\0b\0\0\0c\0\0\0d\0\0\0")
NO_TYPE = (SCALAR, "f8", b"12345678")


@pytest.mark.parametrize(
    "content",
    [
        Forged(*SHORT),
        Forged(*OBJECT),
        Forged(*FIELDS),
        Forged(*TEXT),
        Forged(*NO_TYPE),
        Forged(SCALAR),
        np.arange(3),
        np.str_("a"),
    ],
    ids=["short", "object", "fields", "text", "no type", "nothing", "array", "string"],
)
def test_what_is_no_plain_number_is_refused(content, tmp_path):
    torch.save({"x": content}, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match=r"a\.pth: (not a file of plain tensors|damaged or not a checkpoint)"):
        files.load(tmp_path / "a.pth")


@needs_safe_globals
def test_numpys_own_type_is_never_made(tmp_path):
    torch.save({"x": np.dtype("f8")}, tmp_path / "a.pth")
    read = files.load(tmp_path / "a.pth")["x"]
    assert not isinstance(read, np.dtype)
    assert pickle.dumps(np.float64(2))  # the real one is as it was
    assert type(np.dtype("f8")) is not type(read)
