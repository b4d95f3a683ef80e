"""Small files that anybody may delete."""

import os

import pytest

from metaloss.runtime import cache


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "metaloss"


def test_what_is_kept_is_recalled(folder):
    assert cache.recall("checks", "a") == {}
    cache.keep("checks", "a", {"b": [1, "ü", None]})
    assert cache.recall("checks", "a") == {"b": [1, "ü", None]}
    assert [path.name for path in (folder / "checks").iterdir()] == ["a.json"]


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff", b"3", b"[" * 100_000])
def test_what_cannot_be_read_is_nothing(folder, content):
    (folder / "checks").mkdir(parents=True)
    (folder / "checks" / "a.json").write_bytes(content)
    assert cache.recall("checks", "a") == {}


def test_where_it_lies(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for given in (None, "", "relative/folder"):
        monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
        if given is not None:
            monkeypatch.setenv("XDG_CACHE_HOME", given)
        assert cache.cache_folder() == tmp_path / ".cache" / "metaloss"


def test_an_unwritable_folder_is_no_harm(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    cache.keep("checks", "a", {"b": 1})
    assert cache.recall("checks", "a") == {}
    monkeypatch.setattr(cache.Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("no home")))
    monkeypatch.delenv("XDG_CACHE_HOME")
    cache.keep("checks", "a", {"b": 1})
    assert cache.recall("checks", "a") == {}


def test_the_oldest_of_many_files_go(folder, monkeypatch):
    monkeypatch.setattr(cache, "_KEPT", 3)
    for number in range(5):
        cache.keep("checks", str(number), {})
        os.utime(folder / "checks" / f"{number}.json", (number, number))
    cache.keep("checks", "new", {})
    assert sorted(path.stem for path in (folder / "checks").iterdir()) == ["3", "4", "new"]
