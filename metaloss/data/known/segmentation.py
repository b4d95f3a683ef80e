"""Known data sets with label images of class ids."""

from __future__ import annotations

from metaloss.data.known.record import FOUR_FIFTHS, Known, Part, Protocol

_STREET = ("unlabelled", "car", "person", "bike", "curve", "car stop", "guardrail", "colour cone", "bump")
_STREET_PROTOCOLS = (
    Protocol(tuple(range(9)), "with unlabelled"),
    Protocol(tuple(range(1, 9)), "without unlabelled"),
)

MSRS = Known(
    name="msrs",
    title="MSRS",
    folders=("msrs",),
    parts={
        "segmentation": Part(
            sources={"ir": "{split}/ir|infrared", "vi": "{split}/vi|vis|visible"},
            target="{split}/Segmentation_labels|label",
            labels="ids",
            classes=_STREET,
            counts={"train": 1083, "test": 361},
            protocols=_STREET_PROTOCOLS,
        ),
        "detection": Part(
            sources={"ir": "detection/ir|infrared", "vi": "detection/vi|vis|visible"},
            target="detection/labels|label",
            labels="yolo",
            classes=("person", "bicycle", "car"),
            counts={"all": 80},
            rule=FOUR_FIFTHS,
        ),
    },
    size="640x480",
    split="published: folders train and test. Of the 80 pairs with boxes none: the first four fifths in the order of "
    "their numbers, and the last fifth",
    licence="none stated",
    home="https://github.com/Linfeng-Tang/MSRS",
    tree="""\
MSRS-main/
  train/{ir,vi,Segmentation_labels}/00001D.png ...   1083 each; D day, N night
  test/{ir,vi,Segmentation_labels}/00004N.png ...     361 each
  detection/{ir,vi}/1.png ...   detection/labels/1.txt ...   80 each""",
    remark="Its scenes are MFNet's, better aligned and with a clearer infrared image: train on one of the two only.",
)

FMB = Known(
    name="fmb",
    title="FMB",
    folders=("fmb", "fmbdataset"),
    parts={
        "segmentation": Part(
            sources={"ir": "{split}/Infrared|ir", "vi": "{split}/Visible|vis|vi"},
            target="{split}/Label|labels",
            labels="ids",
            classes=(
                "unlabelled", "road", "sidewalk", "building", "traffic light", "traffic sign", "vegetation", "sky",
                "person", "car", "truck", "bus", "motorcycle", "bicycle", "pole",
            ),
            counts={"train": 1220, "test": 280},
            protocols=(
                Protocol(tuple(range(15)), "with unlabelled"),
                Protocol(tuple(range(1, 15)), "without unlabelled"),
                Protocol((*range(1, 13), 14), "without unlabelled and bicycle"),
            ),
        ),
    },
    size="800x600",
    split="published: folders train and test",
    licence="none stated",
    home="https://github.com/JinyuanLiu-CV/SegMiF",
    tree="""\
FMB/
  train/{Infrared,Visible,Label,color}/NNNNN.png   1220 each
  test/{Infrared,Visible,Label,color}/NNNNN.png     280 each
  (color is Label in colours, and is not read)""",
    remark="No pixel of the test images is labelled bicycle. The first archive had fewer images in one of train's "
    "folders: what has no partner is named.",
)  # fmt: skip

MFNET = Known(
    name="mfnet",
    title="MFNet",
    folders=("mfnet", "irsegdataset", "mfnetdataset"),
    parts={
        "segmentation": Part(
            sources={"ir": "images:alpha", "vi": "images:rgb"},
            target="labels",
            labels="ids",
            classes=_STREET,
            counts={"train": 784, "val": 392, "test": 393},
            skipped="_flip",
            protocols=_STREET_PROTOCOLS,
        ),
    },
    size="640x480",
    split="published: train.txt, val.txt, test.txt (also test_day.txt and test_night.txt)",
    licence="none stated",
    home="https://www.mi.t.u-tokyo.ac.jp/static/projects/mil_multispectral/",
    tree="""\
ir_seg_dataset/
  images/00001D.png ...   1569; colour, and thermal where other files have transparency
  labels/00001D.png ...   1569
  train.txt  val.txt  test.txt  test_day.txt  test_night.txt   784, 392, 393, 205, 188 names""",
    remark="About 125 pairs are not aligned (MSRS leaves them out). The list of training names may have names that end "
    "in _flip, of images that its script make_flip.py makes; they are passed over where there are none.",
)
