"""Texts, json and yaml: read whole, or refused by name."""

from __future__ import annotations

import codecs
import json
from pathlib import Path
from typing import Any

from metaloss.data.listing import what_is_missing
from metaloss.errors import DataError


def read_text(path: Path, expected: str, kind: str = "file") -> str:
    """Reads a text in UTF-8, or in UTF-16 as Windows' shells write it.

    Args:
        path: the file.
        expected: what it should hold, for the message.
        kind: what it should be, where it is not there.

    Raises:
        DataError: no such file, or no text.
    """
    try:
        raw = path.read_bytes()
        text = raw.decode("utf-16" if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig")
    except FileNotFoundError:
        raise DataError(f"{path}: {what_is_missing(path, kind)}; expected {expected}") from None
    except IsADirectoryError:
        raise DataError(f"{path}: is a folder, and no {kind}; expected {expected}") from None
    except (OSError, UnicodeDecodeError):
        raise DataError(f"{path}: cannot be read as text in UTF-8; expected {expected}") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


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
    except RecursionError:
        raise DataError(f"{path}: cannot be read as json (nested too deeply); expected {expected}") from None
    except ValueError as error:  # a number of thousands of digits
        raise DataError(f"{path}: cannot be read as json ({error}); expected {expected}") from None


def read_yaml(path: Path, expected: str) -> Any:
    """Reads a yaml file, in which everything but lists and maps is a text, `no` and `1` as well; nothing in it is run.

    Args:
        path: the file.
        expected: what it should hold, for the message.

    Raises:
        DataError: no such file, or no yaml.
    """
    import yaml

    text = read_text(path, expected)
    try:
        return yaml.load(text, Loader=yaml.BaseLoader)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{path}: cannot be read as yaml ({reason}); expected {expected}") from None
