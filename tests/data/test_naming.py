import pytest
import torch

from metaloss.data import Joined, SyntheticScenes, Tiles, source_names
from metaloss.errors import ConfigError, DataError


class Own:
    """A data set of one's own: items alone, and no word on what the sources are."""

    def __init__(self, count=3, length=2):
        self.count, self.length = count, length

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        torch.rand(1)
        return {"sources": tuple(torch.rand(1, 8, 8) for _ in range(self.count)), "names": str(index)}


NUMBERED = ("source 0", "source 1", "source 2")


def test_a_data_set_without_names_is_counted():
    state = torch.get_rng_state()
    assert source_names(Own(3)) == NUMBERED
    assert source_names(Own(2)) == NUMBERED[:2]
    assert torch.equal(torch.get_rng_state(), state)
    assert source_names(SyntheticScenes(1, size=32)) == ("ir", "vi")
    assert source_names(SyntheticScenes(1, size=32), 3) == NUMBERED  # the names are of other images
    assert source_names(Own(length=0), 3) == NUMBERED
    with pytest.raises(DataError, match="Own: has no items, and no `sources` that name"):
        source_names(Own(length=0))


@pytest.mark.parametrize("sources", [3, "abc", None, (), [1, 2, 3]])
def test_sources_that_are_no_names(sources):
    dataset = Own()
    dataset.sources = sources
    assert source_names(dataset) == NUMBERED


def test_what_wraps_a_data_set_asks_it():
    assert Tiles(Own()).sources == NUMBERED
    assert Joined([Own(), Own()]).sources == NUMBERED
    with pytest.raises(ConfigError, match="different numbers of sources"):
        Joined([Own(3), Own(2)])
