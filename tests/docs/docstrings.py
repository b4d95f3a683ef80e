"""Docstrings say what signatures say: ``python tests/docs/docstrings.py``, by pydoclint, as set in pyproject.toml.

A section may be left out, as a short docstring has none. One that is there is whole: ``Args:`` has every argument, in
order, ``Returns:`` and ``Yields:`` are there where something comes back alone, and ``Raises:`` has every error that the
body raises by name, and may have those of what it calls.
"""

import ast
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOUND = re.compile(r"^(\S+):(\d+): (DOC\d+): (.*)$", re.MULTILINE)
# no such section: of arguments, of what is returned or yielded, and how its types would be written
LEFT_OUT = {
    "DOC101": "Args:",
    "DOC103": "Args:",
    "DOC105": "Args:",
    "DOC201": "Returns:",
    "DOC402": "Yields:",
    "DOC404": "",
}
ERRORS = set(re.findall(r"^class (\w+)\(", (ROOT / "metaloss" / "errors.py").read_text(encoding="utf-8"), re.MULTILINE))
ELSEWHERE = "DOC502"  # an error that is raised in what is called


def docstring_at(path: Path, line: int) -> str:
    """The docstring of the function or class that begins there, decorators included."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
            if line in (first, node.lineno):
                return ast.get_docstring(node) or ""
    return ""


def unnamed(message: str) -> list[str]:
    """Those of metaloss's errors that the body raises and the docstring does not name; others are raised on."""
    documented, raised = (set(re.findall(r"'(\w+)'", part)) for part in message.split("in the body:"))
    return [] if "MetaLossError" in documented else sorted((raised & ERRORS) - documented - {"MetaLossError"})


def complaints(text: str) -> list[str]:
    """What of pydoclint's output does not hold here."""
    left = []
    for path, line, code, message in FOUND.findall(text):
        if code == ELSEWHERE or (code == "DOC503" and not unnamed(message)):
            continue
        if code in LEFT_OUT and (not LEFT_OUT[code] or LEFT_OUT[code] not in docstring_at(ROOT / path, int(line))):
            continue
        left.append(f"{path}:{line}: {code}: {message}")
    return left


def main() -> None:
    """Looks at all of them; exits with 1 where one is not right."""
    command = [sys.executable, "-m", "pydoclint.main", "metaloss", "adapters"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    text = done.stdout + done.stderr
    if "Loading config" not in text and not FOUND.search(text):
        sys.exit(text)
    found = complaints(text)
    print("\n".join(found) or "All docstrings are whole")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
