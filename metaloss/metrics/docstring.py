"""What the docstrings of all metrics have in common, written once."""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence

_SECTION = re.compile(r"^(Convention|Returns):\n((?: {4}.*\n?)+)", re.MULTILINE)


def public_docstring(text: str, *, needs_sources: bool, needs_network: bool, sides: Sequence[int]) -> str:
    """Makes the docstring of a metric's public function from that of the function on checked images.

    Args:
        text: a summary, what the metric is, and two sections: ``Convention:``, what the conventions change, left
            out where all agree, and ``Returns:``, the unit and the range of the values.
        needs_sources: whether there are sources among the arguments.
        needs_network: whether there is a network among them.
        sides: the smallest height and width by each convention, in pixels.

    Returns:
        The text with ``Args:``, ``Returns:`` and ``Raises:`` as the public function has them.
    """
    text = inspect.cleandoc(text) + "\n"
    sections = {name: inspect.cleandoc(content) for name, content in _SECTION.findall(text)}
    least, most = min(sides), max(sides)
    small = f"{least}x{least}" + (f" ({most}x{most} by some conventions)" if most > least else "")
    arguments = [
        "fused: of shape (B, 1, H, W), or (B, 3, H, W) where the convention measures colour; 0-255"
        + (f", at least {small} pixels." if most > 1 else ".")
    ]
    if needs_sources:
        arguments.append(
            "sources: n >= 2 tensors of that shape; where colour is measured, grey ones may be among them."
        )
    if needs_network:
        arguments.append("network: from :func:`load_lpips`, on the images' device.")
    arguments.append(f"convention: {sections.get('Convention', 'all agree.')}")
    shapes = ["another shape", *["smaller images"] * (most > 1), *["fewer than two sources"] * needs_sources]
    shown = shapes[0] if len(shapes) == 1 else f"{', '.join(shapes[:-1])}{',' * (len(shapes) > 2)} or {shapes[-1]}"
    raised = [
        "ConfigError: an unknown convention.",
        "DataError: values outside 0-255.",
        f"ShapeError: {shown}.",
    ]
    parts = [
        _SECTION.sub("", text).strip(),
        _section("Args", arguments),
        _section("Returns", [f"Of shape (B,), {sections['Returns']}"]),
        _section("Raises", raised),
    ]
    return "\n\n".join(parts) + "\n"


def summary(docstring: str) -> str:
    """What a metric is in a few words: the docstring's first line without the name and the direction."""
    first, _, _ = inspect.cleandoc(docstring).partition("\n")
    return first.partition(": ")[2].partition(";")[0].rstrip(".")


def _section(name: str, entries: Sequence[str]) -> str:
    lines = [f"    {entry}".replace("\n", "\n        ") for entry in entries]
    return "\n".join([f"{name}:", *lines])
