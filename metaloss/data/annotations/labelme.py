"""LabelMe's json files, which are told from COCO's to say how to convert them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LABELME = (
    "a LabelMe file (shapes of one image), and COCO's json is one file of all images: `metaloss data convert` makes "
    "masks of class ids, or boxes, of LabelMe's shapes"
)


def is_labelme(content: Any) -> bool:
    """Whether the content of a json file is LabelMe's."""
    return isinstance(content, Mapping) and isinstance(content.get("shapes"), list) and "images" not in content


def is_labelme_file(path: Path) -> bool:
    """Whether a file is LabelMe's; not, where it cannot be read."""
    try:
        return is_labelme(json.loads(path.read_text(encoding="utf-8-sig")))
    except (OSError, ValueError, RecursionError):
        return False
