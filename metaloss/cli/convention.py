"""What the commands that measure say alike about ``--convention``."""

from __future__ import annotations

from metaloss.errors import ConfigError, nearest
from metaloss.metrics import CONVENTIONS


def check_convention(name: str) -> None:
    """Refuses a name that is no convention's.

    Raises:
        ConfigError: there is none of that name.
    """
    if name not in CONVENTIONS:
        raise ConfigError(f"--convention {name!r}{nearest(name, CONVENTIONS)}: choose one of {', '.join(CONVENTIONS)}")
