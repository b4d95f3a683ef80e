"""Data: pairing, data sets, splits, views and source exchange, checks, synthetic scenes."""

from typing import TYPE_CHECKING

from metaloss.runtime.lazy import lazily

if TYPE_CHECKING:
    from metaloss.data.annotations import read_coco, read_list, read_voc, read_yolo
    from metaloss.data.boxes import check_detections, crop_boxes, cut_boxes, flip_boxes, resize_boxes
    from metaloss.data.checks import check_dataset, check_pairs
    from metaloss.data.collating import collate
    from metaloss.data.dataset import PairedDataset
    from metaloss.data.episodes import Episodes
    from metaloss.data.exchange import exchange_sources
    from metaloss.data.fingerprints import fingerprint
    from metaloss.data.images import read_ids, read_image, write_image
    from metaloss.data.joined import Joined, paired_datasets
    from metaloss.data.known import KnownDataset, known_dataset, known_datasets
    from metaloss.data.labels import check_class_ids, check_class_numbers
    from metaloss.data.naming import source_names
    from metaloss.data.pairing import Pair, pair_by_stem, pair_folders
    from metaloss.data.scene_files import images_by_stem
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

_PLACES = {
    "Episodes": "episodes",
    "Joined": "joined",
    "KnownDataset": "known",
    "Pair": "pairing",
    "PairedDataset": "dataset",
    "Resized": "views",
    "SyntheticScenes": "synthetic",
    "Tiles": "tiles",
    "as_size": "views",
    "check_class_ids": "labels",
    "check_class_numbers": "labels",
    "check_dataset": "checks",
    "check_detections": "boxes",
    "check_pairs": "checks",
    "collate": "collating",
    "crop_boxes": "boxes",
    "crop_item": "views",
    "cut_boxes": "boxes",
    "exchange_sources": "exchange",
    "fingerprint": "fingerprints",
    "flip_boxes": "boxes",
    "flip_item": "views",
    "images_by_stem": "scene_files",
    "known_dataset": "known",
    "known_datasets": "known",
    "make_views": "views",
    "pair_by_stem": "pairing",
    "pair_folders": "pairing",
    "paired_datasets": "joined",
    "read_coco": "annotations",
    "read_ids": "images",
    "read_image": "images",
    "read_list": "annotations",
    "read_voc": "annotations",
    "read_yolo": "annotations",
    "resize_boxes": "boxes",
    "resize_item": "views",
    "source_names": "naming",
    "write_image": "images",
    "write_scenes": "synthetic",
}

if not TYPE_CHECKING:  # seen by a type checker, it would make any misspelt name a right one
    __getattr__ = lazily(__name__, _PLACES)
