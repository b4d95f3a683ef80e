"""Box annotations in the formats that people have: YOLO txt, Pascal VOC xml, COCO json, TDFusion's lists.

Everything is read and checked when a data set is made, so that a bad line is found before the work begins.
"""

from metaloss.data.annotations.annotation import Annotation
from metaloss.data.annotations.coco import read_coco
from metaloss.data.annotations.files import Format, detect_format, read_annotations
from metaloss.data.annotations.lists import read_list
from metaloss.data.annotations.voc import read_voc
from metaloss.data.annotations.yolo import read_yolo

__all__ = [
    "Annotation",
    "Format",
    "detect_format",
    "read_annotations",
    "read_coco",
    "read_list",
    "read_voc",
    "read_yolo",
]
