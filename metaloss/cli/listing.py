"""``metaloss list``."""

from __future__ import annotations

import ast
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from metaloss.configs import shipped_configs
from metaloss.inference.pretrained import card_of, shipped_weights
from metaloss.plugins import install_hint, plugin_manager, records

KINDS = {
    "tasks": "tasks",
    "fusion_networks": "fusion networks",
    "loss_generators": "loss generators",
    "hypergradients": "hypergradient methods",
}


def list_everything() -> None:
    """Show tasks, networks, methods, shipped configs and weights, and what each still needs."""
    console = Console(width=max(Console().width, 120))
    for kind, title in KINDS.items():
        table = _table(title)
        for name, record in sorted(records(kind).items()):  # type: ignore[arg-type]
            missing = record.missing()
            needs = f"not installed: {install_hint(missing)}" if missing else "ready"
            table.add_row(f"  {name}", escape(needs), escape(record.description))
        console.print(table)
        console.print()
    table = _table("configs")
    for name, path in shipped_configs().items():
        table.add_row(f"  {name}", escape(_first_line(path)))
    console.print(table)
    console.print()
    table = _table("weights")
    for name, path in shipped_weights().items():
        table.add_row(f"  {name}", escape(_title(card_of(path))))
    if not table.rows:
        table.add_row("  none come with this installation")
    console.print(table)
    for failed in plugin_manager().failed:
        console.print(f"\nplug-in that failed to load: {failed}", markup=False)


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", show_header=False, box=None, pad_edge=False, padding=(0, 2))


def _title(card: Path | None) -> str:
    """The heading of a card of weights."""
    return "" if card is None else card.read_text(encoding="utf-8").partition("\n")[0].strip("# ")


def _first_line(path: Path) -> str:
    return (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").partition("\n")[0]
