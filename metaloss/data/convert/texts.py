"""Texts, json and yaml: read whole, or refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from metaloss.errors import DataError, nearest


def read_text(path: Path, expected: str) -> str:
    """Reads a text in UTF-8.

    Args:
        path: the file.
        expected: what it should hold, for the message.

    Raises:
        DataError: no such file, or no text.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        siblings = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
        raise DataError(f"{path}: no such file{nearest(path.name, siblings)}; expected {expected}") from None
    except (OSError, UnicodeDecodeError):
        raise DataError(f"{path}: cannot be read as text in UTF-8; expected {expected}") from None


def read_json(path: Path, expected: str) -> Any:
    """Reads a json file.

    Args:
        path: the file.
        expected: what it should hold, for the message.

    Raises:
        DataError: no such file, or no json; the line is named.
    """
    text = read_text(path, expected)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path}, line {error.lineno}: cannot be read as json ({error.msg}); expected {expected}"
        ) from None
    except (RecursionError, ValueError):  # nested too deeply, or a number of thousands of digits
        raise DataError(f"{path}: cannot be read as json; expected {expected}") from None


def read_yaml(path: Path, expected: str) -> Any:
    """Reads a yaml file; nothing in it is run.

    Args:
        path: the file.
        expected: what it should hold, for the message.

    Raises:
        DataError: no such file, or no yaml.
    """
    import yaml

    text = read_text(path, expected)
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{path}: cannot be read as yaml ({reason}); expected {expected}") from None
