"""Data: pairing, data sets, splits, views and source exchange, checks, synthetic scenes."""

from metaloss.data.checks import check_dataset, check_pairs
from metaloss.data.collate import collate
from metaloss.data.dataset import PairedDataset
from metaloss.data.episodes import Episodes
from metaloss.data.exchange import exchange_sources
from metaloss.data.images import read_ids, read_image, write_image
from metaloss.data.pairing import Pair, images_by_stem, pair_by_stem, pair_folders
from metaloss.data.synthetic import SyntheticScenes, write_scenes
from metaloss.data.views import Resized, as_size, make_views

__all__ = [
    "Episodes",
    "Pair",
    "PairedDataset",
    "Resized",
    "SyntheticScenes",
    "as_size",
    "check_dataset",
    "check_pairs",
    "collate",
    "exchange_sources",
    "images_by_stem",
    "make_views",
    "pair_by_stem",
    "pair_folders",
    "read_ids",
    "read_image",
    "write_image",
    "write_scenes",
]
