import dataclasses

import pytest

from metaloss.errors import PluginError
from metaloss.networks import ReFusionNet
from metaloss.plugins import Record, install_hint


def test_a_record_is_frozen_and_has_defaults():
    record = Record("mine", dict)
    assert (record.requires, record.description) == ((), "")
    with pytest.raises(dataclasses.FrozenInstanceError):
        record.name = "other"


def test_factories_are_callables_or_imported_by_name():
    assert Record("plain", dict).load() is dict
    assert Record("named", "metaloss.networks:ReFusionNet").load() is ReFusionNet


@pytest.mark.parametrize(
    ("factory", "reason"),
    [
        ("metaloss.networks:ReFusion", "has no attribute 'ReFusion'"),
        ("metaloss.no_such_module:Network", "No module named 'metaloss.no_such_module'"),
    ],
)
def test_a_name_that_leads_nowhere(factory, reason):
    with pytest.raises(PluginError, match=f"'mine' cannot be imported from {factory}: .*{reason}"):
        Record("mine", factory).load()


def test_missing_modules_are_found_without_importing_anything():
    record = Record("mine", dict, requires=("torch", "no_such_framework", "no_such.part"))
    assert record.missing() == ("no_such_framework", "no_such.part")
    with pytest.raises(PluginError, match=r"'mine' needs no_such_framework, no_such\.part, not installed: pip install"):
        record.load()


def test_the_hint_names_the_extra_where_there_is_one():
    assert install_hint(("mmseg",)) == "pip install 'metaloss[mmseg]'"
    assert install_hint(("mmseg", "no_such_framework")) == "pip install 'metaloss[mmseg]' no_such_framework"
