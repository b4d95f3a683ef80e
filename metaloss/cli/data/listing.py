"""``metaloss data list``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import typer

from metaloss.cli.data.check import Format

if TYPE_CHECKING:
    from metaloss.data.known.record import Known, Part


def list_known(
    name: str | None = typer.Argument(None, metavar="NAME", help="One of them, of which all that is known is shown."),
    output: Format = typer.Option(Format.table, "--format", help="json: all that is known."),
) -> None:
    """Show the published data sets that are read as they unpack: classes, splits, licences, trees."""
    from metaloss.data.known.table import find_known, known_datasets

    records = [*known_datasets().values()] if name is None else [find_known(name)]
    if output is Format.json:
        plain = [_plain(record) for record in records]
        typer.echo(json.dumps(plain if name is None else plain[0], indent=1, ensure_ascii=False))
    elif name is None:
        typer.echo("\n".join(map(_short, records)), nl=False)
        typer.echo("\n`metaloss data list NAME` shows the tree, the splits, the classes and the scoring of one.")
    else:
        typer.echo(_whole(records[0]), nl=False)


def _short(record: Known) -> str:
    first = next(iter(record.parts.values()))
    lines = [f"{record.name}: {record.title}, {'+'.join(first.sources)}, {record.size}"]
    lines += [f"  {_kind(kind)}: {_counts(part)}{_classes(part)}" for kind, part in record.parts.items()]
    lines += [f"  licence: {record.licence}", f"  {record.home}"]
    return "".join(f"{line}\n" for line in lines)


def _whole(record: Known) -> str:
    lines = [f"{record.name}: {record.title}", "", *record.tree.rstrip().splitlines(), ""]
    lines += [f"pixels: {record.size}", f"split: {record.split}", f"licence: {record.licence}"]
    lines += [f"home: {record.home}"]
    lines += [f"remark: {record.remark}"] if record.remark else []
    for kind, part in record.parts.items():
        lines += ["", f"{_kind(kind)}: {_counts(part)}"]
        lines += [f"  source {name}: {folder}" for name, folder in part.sources.items()]
        lines += [f"  target: {part.target}"] if part.target else []
        lines += [f"  split {name}: {rule} in the order of names" for name, rule in part.rule.items()]
        lines += [f"  {number:3} {each}" for number, each in enumerate(part.classes)]
        lines += [f"  mean over {each.name}: {each.says}" for each in part.protocols]
    return "".join(f"{line}\n" for line in lines)


def _kind(kind: str | None) -> str:
    return kind or "no labels"


def _counts(part: Part) -> str:
    counts = ", ".join(f"{count} {name}" for name, count in part.counts.items())
    return counts.replace(" all", " in all") or "scenes not counted"


def _classes(part: Part) -> str:
    return f"; {len(part.classes)} class{'es' * (len(part.classes) != 1)}" if part.classes else ""


def _plain(record: Known) -> dict[str, Any]:
    return {
        "name": record.name,
        "title": record.title,
        "size": record.size,
        "split": record.split,
        "licence": record.licence,
        "home": record.home,
        "tree": record.tree,
        "remark": record.remark,
        "parts": [
            {
                "labels": kind,
                "sources": dict(part.sources),
                "target": part.target,
                "classes": list(part.classes),
                "ignore": part.ignore,
                "scenes": dict(part.counts),
                "rule": dict(part.rule),
                "protocols": [{"name": each.name, "says": each.says, "ids": list(each.ids)} for each in part.protocols],
            }
            for kind, part in record.parts.items()
        ],
    }
