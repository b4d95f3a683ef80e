"""Patterns and several roots by config."""

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("mmengine")

from metaloss.engine import build_dataset, load_config, parse_options

CWFID = "tdfusion/segformer_cwfid"


@pytest.fixture
def roots(tmp_path):
    noise = np.random.default_rng(0)
    for root in ("day", "night"):
        (tmp_path / root).mkdir()
        for name in ("1", "2"):
            for kind, top in (("ir", 256), ("vi", 256), ("mask", 3)):
                pixels = noise.integers(0, top, (8, 8), dtype=np.uint8)
                Image.fromarray(pixels).save(tmp_path / root / f"{name}_{kind}.png")
        (tmp_path / root / "train.txt").write_text("2\n1\n")
        (tmp_path / root / "val.txt").write_text("1\n")
    return tmp_path


@pytest.mark.parametrize("form", ["['{0}','{1}']", "{0},{1}", "('{0}','{1}')"])
def test_several_roots_and_patterns_are_settings(roots, form):
    options = (
        f"data_root={form.format(roots / 'day', roots / 'night')}", "sources=('*_ir.png','*_vi.png')",
        "target=*_mask.png", "train_split=train.txt", "val_split=val.txt",
    )  # fmt: skip
    config = load_config(CWFID, parse_options(options))
    train, val = (build_dataset(config, f"{name}_dataloader") for name in ("train", "val"))
    assert [pair.name for pair in train.pairs] == ["day_2", "day_1", "night_2", "night_1"]
    assert [pair.name for pair in val.pairs] == ["day_1", "night_1"]
    assert train.sources == ("ir", "vi")
    assert train[0]["target"].shape == (8, 8)


def test_several_kinds_of_pairs_in_several_roots(roots):
    both = f"data_root=['{roots / 'day'}','{roots / 'night'}']"
    kinds = "sources=(('*_ir.png','*_vi.png'),('*_vi.png','*_ir.png'))"
    config = load_config("refusion/ivif", parse_options((both, kinds, "train_split=train.txt")))
    dataset = build_dataset(config, "train_dataloader")
    assert [dataset[number]["names"] for number in (0, 4)] == ["ir_vi_day_2", "vi_ir_day_2"]
