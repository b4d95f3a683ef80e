"""Reference configurations, shipped in the wheel."""

from pathlib import Path


def shipped_configs() -> dict[str, Path]:
    """The configs in the package, by name (``tdfusion/segformer_synthetic``)."""
    folder = Path(__file__).parent
    return {
        path.relative_to(folder).with_suffix("").as_posix(): path
        for path in sorted(folder.glob("*/*.py"))
        if not path.parent.name.startswith("_")
    }
