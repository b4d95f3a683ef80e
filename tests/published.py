"""Trees of published data sets as their archives unpack: right names, tiny images, written once per process."""

import io

import numpy as np
from PIL import Image

SIZE = (24, 32)  # height and width
_STEMS = {
    "m3fd": [f"{number:05d}" for number in range(12)],
    "llvip": {"train": [f"0100{n:02d}" for n in range(1, 13)], "test": [f"1900{n:02d}" for n in range(1, 13)]},
    "mfnet": {"train": ["00001D", "00003N", "00005N"], "val": ["00002D", "00007N"], "test": ["00004N", "00008N"]},
}
MSRS = {
    "train": [f"{number:05d}{'D' if number % 2 else 'N'}" for number in range(1, 1445) if number % 4],
    "test": [f"{number:05d}{'D' if number % 8 else 'N'}" for number in range(1, 1445) if number % 4 == 0],
}
FMB = {"train": [f"{number:05d}" for number in range(281, 1501)], "test": [f"{number:05d}" for number in range(1, 281)]}
M3FD_NAMES = ("People", "Car", "Bus", "Motorcycle", "Truck", "Lamp")


def encoded(pixels, kind="PNG"):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def grey(value=90):
    return np.tile(np.linspace(0, value, SIZE[1], dtype=np.uint8), (SIZE[0], 1))


def colour(value=200):
    ramp = np.tile(np.linspace(value, 0, SIZE[0], dtype=np.uint8)[:, None], (1, SIZE[1]))
    return np.stack([ramp, ramp // 2, 255 - ramp], -1)


def ids(*present):
    """A label image with a stripe of each id."""
    return np.tile(np.resize(np.repeat(np.array(present, np.uint8), 2), SIZE[1]), (SIZE[0], 1))


def voc(*names):
    objects = "".join(
        f"<object><name>{name}</name><bndbox><xmin>{1 + k}</xmin><ymin>2</ymin><xmax>{21 + k}</xmax><ymax>20</ymax>"
        "</bndbox></object>"
        for k, name in enumerate(names)
    )
    size = f"<size><width>{SIZE[1]}</width><height>{SIZE[0]}</height><depth>3</depth></size>"
    return f"<annotation><folder>elsewhere</folder>{size}{objects}</annotation>".encode()


def put(folder, names, content):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(content)


def msrs(root):
    tree = root / "MSRS-main"
    for split, stems in MSRS.items():
        files = [f"{stem}.png" for stem in stems]
        put(tree / split / "ir", files, encoded(grey()))
        put(tree / split / "vi", files, encoded(colour()))
        put(tree / split / "Segmentation_labels", files, encoded(ids(*range(9))))
    numbers = range(1, 81)
    put(tree / "detection" / "ir", [f"{n}.png" for n in numbers], encoded(grey()))
    put(tree / "detection" / "vi", [f"{n}.png" for n in numbers], encoded(colour()))
    put(tree / "detection" / "labels", [f"{n}.txt" for n in numbers], b"2 0.423438 0.500000 0.434375 0.375000\n")
    return tree


def fmb(root):
    tree = root / "FMB"
    for split, stems in FMB.items():
        files = [f"{stem}.png" for stem in stems]
        present = range(15) if split == "train" else [*range(13), 14]
        put(tree / split / "Infrared", files, encoded(grey()))
        put(tree / split / "Visible", files, encoded(colour()))
        put(tree / split / "Label", files, encoded(ids(*present)))
        put(tree / split / "color", files[:2], encoded(colour()))
    return tree


def m3fd(root):
    tree = root / "M3FD_Detection"
    three = np.repeat(grey()[..., None], 3, -1)
    put(tree / "Ir", [f"{stem}.png" for stem in _STEMS["m3fd"]], encoded(three))
    put(tree / "Vis", [f"{stem}.png" for stem in _STEMS["m3fd"]], encoded(colour()))
    for number, stem in enumerate(_STEMS["m3fd"]):
        put(tree / "Annotation", [f"{stem}.xml"], voc(M3FD_NAMES[number % 6], "People"))
    fusion = root / "M3FD_Fusion"
    put(fusion / "Ir", [f"{stem}.png" for stem in _STEMS["m3fd"][::3]], encoded(three))
    put(fusion / "Vis", [f"{stem}.png" for stem in _STEMS["m3fd"][::3]], encoded(colour()))
    return tree


def llvip(root):
    tree = root / "LLVIP"
    for split, stems in _STEMS["llvip"].items():
        put(tree / "infrared" / split, [f"{stem}.jpg" for stem in stems], encoded(grey(), "JPEG"))
        put(tree / "visible" / split, [f"{stem}.jpg" for stem in stems], encoded(colour(), "JPEG"))
        put(tree / "Annotations", [f"{stem}.xml" for stem in stems], voc("person", "person"))
    return tree


def mfnet(root):
    tree = root / "ir_seg_dataset"
    stems = [stem for each in _STEMS["mfnet"].values() for stem in each]
    four = np.concatenate([colour(), grey()[..., None]], -1)
    put(tree / "images", [f"{stem}.png" for stem in stems], encoded(four))
    put(tree / "labels", [f"{stem}.png" for stem in stems], encoded(ids(*range(9))))
    for split, each in _STEMS["mfnet"].items():
        flipped = [f"{stem}_flip" for stem in each] if split == "train" else []
        (tree / f"{split}.txt").write_text("\n".join([*each, *flipped]) + "\n")
    (tree / "test_night.txt").write_text("00004N\n00008N\n")
    return tree


def roadscene(root):
    tree = root / "RoadScene-master"
    names = ["FLIR_00006.jpg", "FLIR_00018.jpg", "FLIR_04269.jpg", "FLIR_09465.jpg", "FLIR_video_00018.jpg"]
    put(tree / "cropinfrared", names, encoded(grey(), "JPEG"))
    put(tree / "crop_LR_visible", names, encoded(colour(), "JPEG"))
    put(tree / "crop_HR_visible", names, encoded(np.repeat(colour(), 2, 0), "JPEG"))
    put(tree / "infrared", [name.replace("jpg", "png") for name in names], encoded(np.repeat(grey(), 2, 1)))
    (tree / "crop_LR_visible" / "Thumbs.db").write_bytes(b"windows")
    return tree


def harvard(root):
    tree = root / "Havard-Medical-Image-Fusion-Datasets-main"
    cases = {"CT": (2, 16, 18, 20, 21), "PET": (25, 30, 41), "SPECT": (3, 4, 9, 10, 11)}
    for kind, numbers in cases.items():
        names = [f"{case}{part:03d}.png" for case in numbers for part in (4, 5)]
        put(tree / f"{kind}-MRI" / kind, names, encoded(grey() if kind == "CT" else colour()))
        put(tree / f"{kind}-MRI" / "MRI", names, encoded(grey()))
        put(tree / "MyDatasets" / f"{kind}-MRI" / "train" / kind, names[:3], encoded(grey()))
    return tree


def lytro(root):
    tree = root / "LytroDataset"
    for letter, image in (("A", colour()), ("B", colour(150))):
        put(tree, [f"lytro-{number:02d}-{letter}.jpg" for number in range(1, 7)], encoded(image, "JPEG"))
    for letter in "ABC":
        put(tree / "Triple Series", [f"lytro-01-{letter}.jpg"], encoded(colour(), "JPEG"))
    return tree


def mfi_whu(root):
    tree = root / "MFI-WHU"
    for folder in ("source_1", "source_2", "full_clear"):
        put(tree / folder, [f"{number}.jpg" for number in range(1, 13)], encoded(colour(), "JPEG"))
    return tree


MEFB = (  # with the slips of the archive: capitals, suffixes, copies under other names
    "507/507_A.tif 507/507_B.tif 507/_MDF0003.tif 507/_MDF0009.tif",
    "ArchSequence/ArchSequence_A.jpg ArchSequence/ArchSequence_B.jpg ArchSequence/ev.txt",
    "Farmhouse/DSC03641.png Farmhouse/DSC03643.png Farmhouse/FarmHouse_B.png Farmhouse/Farmhouse_A.png",
    "House/B.png House/D.png House/House_A.png House/House_B.png",
    "ICCV_15/ICCV_15_A.JPG ICCV_15/ICCV_15_B.jpg ICCV_15/img1.JPG ICCV_15/img3.JPG",
    "Lighthouse/Lighthouse_a.png Lighthouse/Lighthouse_B.png",
    "garage/Garage_A.jpg garage/garage_B.jpg",
    "hongkong_01/hongkong_01_A.jpg hongkong_01/hongkong_01_B.jpg",
)


def mefb(root):
    kinds = {".tif": "TIFF", ".jpg": "JPEG", ".png": "PNG"}
    tree = root / "MEFB-master"
    for path in " ".join(MEFB).split():
        file = tree / "input" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == ".txt":
            file.write_text("0 2\n")
        else:
            file.write_bytes(encoded(colour(90 if "_a." in path.lower() else 250), kinds[file.suffix.lower()]))
    return tree


TNO = """
Athena_images/2_men_in_front_of_house/{IR_meting003_g,VIS_meting003_r,meting003_rg}.bmp
Athena_images/APC_1/view_1/{IR_fk_06_005,VIS_fk_06_005,fk_06_005_rg}.bmp
Athena_images/APC_1/view_2/{IR_fk_ref_01_005,VIS_fk_ref_01_005,fk_ref_01_005_rg}.bmp
Athena_images/APC_2/view_1/{1_fk_ge_03_005,2_fk_ge_03_005,fk_ge_03_005_rg}.bmp
Athena_images/airplane_in_trees/{ir,vis}.bmp
Athena_images/bunker/{IR_bunker_g,VIS_bunker-rg,bunker_r}.bmp
Athena_images/heather/{IR_hei_vis_g,VIS_hei_vis_r,hei_vis-rg}.bmp
DHV_images/wall/{IR_163rad}.bmp
DHV_images/wall/{NIR_163dhvG,VIS_163dhvR}.BMP
DHV_images/Fire_sequence/part_1/thermal/{RAD2,RAD10}.bmp
DHV_images/Fire_sequence/part_1/dhv/{DHV2,DHV10}.bmp
DHV_images/Fire_sequence/part_2/rad/{RADheli0,RADheli1}.bmp
DHV_images/Fire_sequence/part_2/dhv/{DHVheli0,DHVheli1}.bmp
FEL_images/Nato_camp_sequence/thermal/{1800i,1801i}.bmp
FEL_images/Nato_camp_sequence/visual/{1800v,1801v}.bmp
Triclobs_images/Balls/{NIR,VIS,photo}.bmp
Triclobs_images/Bosnia/{LWIR_B,NIR_G,VIS_R,daylight_image}.bmp
Triclobs_images/Kaptein_01/{IR01,NIR01,Vis01,photo}.bmp
Triclobs_images/Kaptein_1654/{Kaptein_1654_II,Kaptein_1654_IR,Kaptein_1654_Vis,Kaptein_1654_ref_with_man}.bmp
Triclobs_images/barbed_wire_1/{B_LWIR,G_NIR,RGB,R_Vis}.tif
Triclobs_images/barbed_wire_2/{a_VIS-MarnehNew_24RGB_1110,b_NIR-MarnehNew_24RGB_1110,c_LWIR-MarnehNew_24RGB_1110}.tif
tank/{LWIR,Vis}.tif
"""


def tno(root):
    tree = root / "TNO_Image_Fusion_Dataset"
    for line in TNO.split():
        folder, _, rest = line.partition("/{")
        names, suffix = rest.split("}")
        kind = "TIFF" if suffix == ".tif" else "BMP"
        for name in names.split(","):
            warm = any(word in name for word in ("IR", "RAD")) or name.endswith("i") or name.startswith(("ir", "2_"))
            put(tree / folder, [name + suffix], encoded(grey(240 if warm else 60), kind))
    put(tree / "tank" / "REFRENCES", ["Toet1990.pdf"], b"%PDF")
    return tree


TREES = {each.__name__: each for each in (msrs, fmb, m3fd, llvip, mfnet, roadscene, harvard, lytro, mfi_whu, mefb, tno)}
