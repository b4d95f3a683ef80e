"""Data: pairing, data sets, splits, views and source exchange, checks, synthetic scenes."""

from metaloss.data.annotations import read_coco, read_list, read_voc, read_yolo
from metaloss.data.boxes import check_detections, crop_boxes, cut_boxes, flip_boxes, resize_boxes
from metaloss.data.checks import check_dataset, check_pairs
from metaloss.data.collate import collate
from metaloss.data.dataset import PairedDataset
from metaloss.data.episodes import Episodes
from metaloss.data.exchange import exchange_sources
from metaloss.data.fingerprint import fingerprint
from metaloss.data.images import read_ids, read_image, write_image
from metaloss.data.joined import Joined, paired_datasets
from metaloss.data.known import KnownDataset, known_dataset, known_datasets
from metaloss.data.labels import check_class_ids, check_class_numbers
from metaloss.data.pairing import Pair, pair_by_stem, pair_folders
from metaloss.data.scene_files import images_by_stem
from metaloss.data.source_names import source_names
from metaloss.data.synthetic import SyntheticScenes, write_scenes
from metaloss.data.tiles import Tiles
from metaloss.data.views import Resized, as_size, crop_item, flip_item, make_views, resize_item

__all__ = [
    "Episodes",
    "Joined",
    "KnownDataset",
    "Pair",
    "PairedDataset",
    "Resized",
    "SyntheticScenes",
    "Tiles",
    "as_size",
    "check_class_ids",
    "check_class_numbers",
    "check_dataset",
    "check_detections",
    "check_pairs",
    "collate",
    "crop_boxes",
    "crop_item",
    "cut_boxes",
    "exchange_sources",
    "fingerprint",
    "flip_boxes",
    "flip_item",
    "images_by_stem",
    "known_dataset",
    "known_datasets",
    "make_views",
    "pair_by_stem",
    "pair_folders",
    "paired_datasets",
    "read_coco",
    "read_ids",
    "read_image",
    "read_list",
    "read_voc",
    "read_yolo",
    "resize_boxes",
    "resize_item",
    "source_names",
    "write_image",
    "write_scenes",
]
