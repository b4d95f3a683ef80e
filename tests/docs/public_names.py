"""The public names of metaloss, written to a file: ``python tests/docs/public_names.py`` writes it anew.

Public is what a package's or module's ``__all__`` holds, of all packages and modules that have one.
"""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
FILE = Path(__file__).with_name("public_names.txt")


def public_names() -> dict[str, list[str]]:
    """Reads the names from the sources: by module, in order; nothing is imported."""
    found = {}
    for path in sorted((ROOT / "metaloss").rglob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
                module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
                found[module] = sorted(ast.literal_eval(node.value))
    return found


def as_text() -> str:
    """One name a line."""
    return "".join(f"{module}.{name}\n" for module, names in public_names().items() for name in names)


if __name__ == "__main__":
    FILE.write_text(as_text(), encoding="utf-8")
    print(f"written: {FILE.relative_to(ROOT)}")
