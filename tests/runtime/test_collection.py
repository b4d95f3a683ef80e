import gc

import pytest

from metaloss.runtime.collection import collection_paused


@collection_paused()
def inside():
    return gc.isenabled()


def test_the_collector_rests_inside_and_is_as_it_was_afterwards():
    assert gc.isenabled()
    assert not inside()
    assert gc.isenabled()
    with pytest.raises(ValueError, match="wrong"), collection_paused():
        raise ValueError("wrong")
    assert gc.isenabled()
    gc.disable()
    try:
        assert not inside()
        assert not gc.isenabled()
    finally:
        gc.enable()
