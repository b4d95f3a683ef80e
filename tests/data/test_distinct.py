import pytest

from metaloss.data.distinct import distinct_names, place_names


@pytest.mark.parametrize(
    ("places", "names"),
    [
        (("ir", "vi"), ("ir", "vi")),
        (("train/ir/", "/data/train/vi"), ("ir", "vi")),
        (("infrared/train", "visible/train"), ("infrared", "visible")),
        (("../a/infrared/train/x", "../b/visible/train/x"), ("infrared", "visible")),
        (("train", "visible/train"), ("train", "visible_train")),
        (("x/ir/train", "y/ir/train", "y/vi/train"), ("x_ir", "y_ir", "y_vi")),
        (("images/*_ir.png", "images/*_vi.png"), ("ir", "vi")),
        (("FLIR_*_ir_x.png", "FLIR_*_vi_x.png"), ("ir_x", "vi_x")),
        (("JPEGImages/*.jpg", "JPEGImages/*_RGB.jpg"), ("JPEGImages", "RGB")),
        (("ir/**/*.png", "vi/**/*.png"), ("ir", "vi")),
        (("*/ir.png", "*/vi.png"), ("ir", "vi")),
        (("ir", "ir"), ("ir 0", "ir 1")),
    ],
)
def test_names(places, names):
    assert distinct_names(places) == names


def test_equal_places_have_equal_names_until_they_are_numbered():
    assert place_names(["x/rgbt", "x/rgbt", "x/nir"]) == ["rgbt", "rgbt", "nir"]
    assert distinct_names(["x/rgbt", "x/rgbt", "x/nir"]) == ("rgbt 0", "rgbt 1", "nir")
