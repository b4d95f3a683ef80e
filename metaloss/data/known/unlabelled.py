"""Known data sets without labels."""

from __future__ import annotations

import re

from metaloss.data.known.listing import lytro_pairs, mefb_pairs, tno_pairs
from metaloss.data.known.record import FOUR_FIFTHS, Known, Part

_BY_NAME = "none published: the first four fifths in the order of names, and the last fifth"

M3FD_FUSION = Known(
    name="m3fd_fusion",
    title="M3FD_Fusion",
    folders=("m3fd", "m3fdfusion"),
    parts={
        None: Part(sources={"ir": "Ir|infrared", "vi": "Vis|vi|visible"}, counts={"all": 300}, rule=FOUR_FIFTHS),
    },
    size="1024x768",
    split=_BY_NAME,
    licence="none stated for the data (the repository's code: GPL-3.0)",
    home="https://github.com/JinyuanLiu-CV/TarDAL",
    tree="""\
M3FD_Fusion/
  Ir/00000.png ...   Vis/00000.png ...   300 each""",
    remark="All are among the 4200 pairs of m3fd, under the same names.",
)

ROADSCENE = Known(
    name="roadscene",
    title="RoadScene",
    folders=("roadscene",),
    parts={
        None: Part(
            sources={"ir": "cropinfrared", "vi": "crop_LR_visible|crop_HR_visible"},
            size_of="ir",
            counts={"all": 221},
            rule=FOUR_FIFTHS,
        ),
    },
    size="various, about 500x300",
    split=_BY_NAME,
    licence="none stated (images of the FLIR ADAS videos)",
    home="https://github.com/hanna-xu/RoadScene",
    tree="""\
RoadScene-master/
  cropinfrared/FLIR_00006.jpg ...      221
  crop_LR_visible/FLIR_00006.jpg ...   221, of the infrared images' size
  crop_HR_visible/...                  the same, larger; taken where crop_LR_visible is not there, and resized
  infrared/...                         as recorded, not aligned; not read""",
)

TNO = Known(
    name="tno",
    title="TNO",
    folders=("tno", "tnoimagefusiondataset"),
    parts={
        None: Part(
            sources={"ir": "ir", "vi": "vi"},
            rule=FOUR_FIFTHS,
            group=lambda name: re.sub(r"(_?(view|part)?_?\d+)+$", "", name) or name,
            pairs=tno_pairs,
        ),
    },
    size="various, 280x280 to 768x576",
    split="none published, mostly tested on: the first four fifths of the scenes in the order of names and the last "
    "fifth; a sequence, and the views of one scene, stay together",
    licence="as on figshare (there: CC BY 4.0)",
    home="https://figshare.com/articles/dataset/TNO_Image_Fusion_Dataset/1008029",
    tree="""\
TNO_Image_Fusion_Dataset/
  Athena_images/SCENE/[view_N/]{IR_x,VIS_x}.bmp
  DHV_images/{bench,sandpath,wall}/{IR_x,VIS_x}.bmp   DHV_images/Fire_sequence/part_N/{thermal|rad,dhv}/...
  FEL_images/{Duine,Nato_camp,Tree}_sequence/{thermal/1800i,visual/1800v}.bmp ...
  Triclobs_images/SCENE/{x_IR,x_Vis}.bmp, {LWIR,VIS}.bmp, ...
  tank/{LWIR,Vis}.tif
  (a scene has its folder's name, a frame of a sequence also its number; near infrared and colours are not read)""",
    remark="Repackaged as IR1.png, VIS1.png, ... in one folder it is read as well.",
)

LYTRO = Known(
    name="lytro",
    title="Lytro",
    folders=("lytro", "lytrodataset"),
    parts={
        None: Part(sources={"A": "A", "B": "B"}, counts={"all": 20}, rule=FOUR_FIFTHS, pairs=lytro_pairs),
    },
    size="520x520",
    split=_BY_NAME + "; mostly tested on",
    licence="none stated (cite)",
    home="https://github.com/mnnejati/LytroDataset",
    tree="""\
LytroDataset/
  lytro-01-A.jpg  lytro-01-B.jpg ...   20 pairs
  Triple Series/...                    three focal planes, of other scenes under the same names; not read""",
)

MFI_WHU = Known(
    name="mfi_whu",
    title="MFI-WHU",
    folders=("mfiwhu",),
    parts={
        None: Part(sources={"A": "source_1", "B": "source_2"}, counts={"all": 120}, rule=FOUR_FIFTHS),
    },
    size="various",
    split="none published: the first four fifths in the order of numbers, and the last fifth",
    licence="MIT",
    home="https://github.com/HaoZhang1018/MFI-WHU",
    tree="""\
MFI-WHU/
  source_1/1.jpg ...   source_2/1.jpg ...   120 each
  full_clear/...                            sharp everywhere; not read""",
)

MEFB = Known(
    name="mefb",
    title="MEFB",
    folders=("mefb",),
    parts={
        None: Part(sources={"A": "A", "B": "B"}, counts={"all": 100}, rule=FOUR_FIFTHS, pairs=mefb_pairs),
    },
    size="various",
    split=_BY_NAME + "; mostly tested on",
    licence="none stated (images of several authors)",
    home="https://github.com/xingchenzhang/MEFB",
    tree="""\
MEFB-master/
  input/NAME/{NAME_A,NAME_B}.{jpg,png,tif}   100 folders; A under-exposed, B over-exposed; copies under other names""",
)


def _medical(name: str, other: str, count: int) -> Known:
    upper = name.upper()
    return Known(
        name=f"harvard_{name}",
        title=f"Harvard {upper}-MRI",
        folders=("harvard", "havard", "havardmedicalimagefusiondatasets", "medical", "testimg"),
        parts={
            None: Part(
                sources={upper: f"{upper}-MRI|MRI_{upper}|MRI-{upper}/{upper}",
                         "MRI": f"{upper}-MRI|MRI_{upper}|MRI-{upper}/MRI"},
                counts={"all": count},
                rule=FOUR_FIFTHS,
                group=lambda scene: scene[:-3] or scene,
            ),
        },
        size="256x256",
        split="by case, so that no patient is in both: the first four fifths of the cases in the order of their "
        "numbers, and the last fifth",
        licence="none stated",
        home="https://github.com/xianming-gu/Havard-Medical-Image-Fusion-Datasets",
        tree=f"""\
Havard-Medical-Image-Fusion-Datasets-main/
  {upper}-MRI/{{{upper},MRI}}/{other}.png ...   {count} each; case number and three digits of the slice
  MyDatasets/{upper}-MRI/{{train,test}}/...   a split by slices, with every case of the test in training; not read""",
    )  # fmt: skip


HARVARD_CT = _medical("ct", "2004", 184)
HARVARD_PET = _medical("pet", "25015", 269)
HARVARD_SPECT = _medical("spect", "10007", 357)
