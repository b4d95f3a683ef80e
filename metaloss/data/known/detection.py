"""Known data sets with boxes."""

from __future__ import annotations

from metaloss.data.known.record import Known, Part

M3FD = Known(
    name="m3fd",
    title="M3FD",
    folders=("m3fd", "m3fddetection"),
    parts={
        "detection": Part(
            sources={"ir": "Ir|infrared", "vi": "Vis|vi|visible"},
            target="Annotation|Annotations",
            labels="voc",
            classes=("People", "Car", "Bus", "Lamp", "Motorcycle", "Truck"),
            counts={"all": 4200},
            rule={"train": "[:79%]", "test": "[80%:]"},
        ),
    },
    size="1024x768, 274 pairs smaller",
    split="none published. The first 79 % in the order of names are for training (3318), the last 20 % for the test "
    "(840): sequences stay together, and the 42 frames in between, where one ends and the next begins, are left out",
    licence="none stated for the data (the repository's code: GPL-3.0)",
    home="https://github.com/JinyuanLiu-CV/TarDAL",
    tree="""\
M3FD_Detection/
  Ir/00000.png ...   Vis/00000.png ...   4200 each; infrared as three equal channels
  Annotation/00000.xml ...               4200, Pascal VOC""",
    remark="The files name their classes, and give no order of ids: this is TarDAL's, which the data's authors train "
    "with. TDFusion's lists count Motorcycle, Truck, Lamp from 3 (its M3FD_train.txt is read as a split: "
    "train_split=M3FD_train.txt, and the boxes come from the xml files, by name). In its split 1045 of the 1050 test "
    "frames have the frame before or after them in the training set. The 300 pairs of m3fd_fusion are among the 4200: "
    "do not test on them what was trained on these.",
)

LLVIP = Known(
    name="llvip",
    title="LLVIP",
    folders=("llvip",),
    parts={
        "detection": Part(
            sources={"ir": "infrared/{split}", "vi": "visible/{split}"},
            target="Annotations|Annotation",
            labels="voc",
            classes=("person",),
            counts={"train": 12025, "test": 3463},
        ),
    },
    size="1280x1024",
    split="published: folders train and test, of different places",
    licence="non-commercial use, with citation (its Term of Use)",
    home="https://github.com/bupt-ai-cz/LLVIP",
    tree="""\
LLVIP/
  infrared/train/010001.jpg ...   visible/train/010001.jpg ...   12025 each
  infrared/test/190001.jpg ...    visible/test/190001.jpg ...     3463 each
  Annotations/010001.xml ...                                     15488, Pascal VOC, of both splits""",
    remark="TDFusion takes every tenth pair: train_split=train[::10] val_split=test[::10] (1203 and 347).",
)
