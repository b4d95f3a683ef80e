"""One fault of the code, as data: what the tests would not see if they did not look."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, kw_only=True)
class Mutation:
    """A fault that could be made, and the tests that have to notice it.

    Attributes:
        name: what goes wrong, in a few words.
        file: where, from the root of the repository.
        find: text that occurs exactly once there.
        replace: what takes its place.
        tests: test files or folders, of which a fast test has to fail.
        survives: why no test can notice it; empty where one has to.
    """

    name: str
    file: str
    find: str
    replace: str
    tests: tuple[str, ...]
    survives: str = ""

    def mutated(self, root: Path = ROOT) -> str:
        """Gives the file's text with the fault in it.

        Raises:
            ValueError: the text to replace is not there, or not the only one.
        """
        text = (root / self.file).read_text(encoding="utf-8")
        count = text.count(self.find)
        if count != 1:
            raise ValueError(f"{self.name}: its text occurs {count} times in {self.file}, expected once: {self.find!r}")
        return text.replace(self.find, self.replace)

    def test_files(self, root: Path = ROOT) -> list[Path]:
        """Lists the files of its tests, and those that all tests share."""
        return python_files((*self.tests, "tests/*.py"), root)


def python_files(places: Iterable[str], root: Path = ROOT) -> list[Path]:
    """Lists the Python files at places: files, folders or patterns.

    Raises:
        ValueError: there is none at one of them.
    """
    files: list[Path] = []
    for place in places:
        found = sorted((root / place).rglob("*.py")) if (root / place).is_dir() else sorted(root.glob(place))
        if not found:
            raise ValueError(f"no tests at {place}")
        files += found
    return files
