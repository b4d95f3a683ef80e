"""``metaloss list``."""

from __future__ import annotations

import ast
from pathlib import Path

from rich.console import Console
from rich.table import Table

from metaloss.configs import shipped_configs
from metaloss.plugins import install_hint, plugin_manager, records

KINDS = {
    "tasks": "tasks",
    "fusion_networks": "fusion networks",
    "loss_generators": "loss generators",
    "hypergradients": "hypergradient methods",
}


def list_everything() -> None:
    """Show tasks, networks, methods and shipped configs, and what each still needs."""
    console = Console(width=max(Console().width, 120))
    for kind, title in KINDS.items():
        table = Table(title=title, title_justify="left", show_header=False, box=None, pad_edge=False, padding=(0, 2))
        for name, record in sorted(records(kind).items()):  # type: ignore[arg-type]
            missing = record.missing()
            needs = f"not installed: {install_hint(missing)}" if missing else "ready"
            table.add_row(f"  {name}", needs.replace("[", r"\["), record.description)
        console.print(table)
        console.print()
    table = Table(title="configs", title_justify="left", show_header=False, box=None, pad_edge=False, padding=(0, 2))
    for name, path in shipped_configs().items():
        table.add_row(f"  {name}", _first_line(path))
    console.print(table)
    for failed in plugin_manager().failed:
        console.print(f"\nplug-in that failed to load: {failed}", markup=False)


def _first_line(path: Path) -> str:
    return (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").partition("\n")[0]
