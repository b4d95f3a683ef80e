"""Published fusion networks by name, for metaloss: nothing of their authors' code or weights is in here."""

from metaloss.plugins import PublishedNetwork, hookimpl
from metaloss_fusion.published import NETWORKS


@hookimpl
def metaloss_fusion_networks() -> list[PublishedNetwork]:
    """Nine networks of an infrared and a visible image."""
    return list(NETWORKS)
