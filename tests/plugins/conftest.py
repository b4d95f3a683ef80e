import pytest

from metaloss.plugins import plugin_manager


@pytest.fixture
def register():
    """Registers plug-ins on the one manager, and takes them away afterwards."""
    manager = plugin_manager()
    before = list(manager.failed)
    registered = []

    def add(plugin, name=None):
        manager.register(plugin, name=name)
        registered.append(plugin)

    yield add
    for plugin in registered:
        manager.unregister(plugin)
    manager.failed[:] = before
