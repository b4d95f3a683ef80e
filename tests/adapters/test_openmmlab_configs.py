"""What is left of a config's model when nothing may come from a file or from the network."""

import importlib

import pytest

from metaloss.errors import ConfigError

pytest.importorskip("mmengine")
from mmengine.config import Config

configs = importlib.import_module("metaloss_frameworks.openmmlab.configs")
own_size = importlib.import_module("metaloss_frameworks.openmmlab.sizes").own_size
URL = "https://example.org/weights.pth"


@pytest.mark.parametrize(
    ("part", "left"),
    [
        ({"init_cfg": {"type": "Pretrained", "checkpoint": "torchvision://resnet18"}}, {"init_cfg": None}),
        ({"init_cfg": {"checkpoint": URL}}, {"init_cfg": None}),
        (
            {"init_cfg": [{"type": "Pretrained", "checkpoint": URL}, {"type": "Normal", "std": 1}]},
            {"init_cfg": [{"type": "Normal", "std": 1}]},
        ),
        ({"init_cfg": {"type": "Normal", "std": 1}}, {"init_cfg": {"type": "Normal", "std": 1}}),
        ({"pretrained": "open-mmlab://resnet50_v1c"}, {"pretrained": None}),
        ({"pretrained": True}, {"pretrained": False}),
        ({"teacher_ckpt": URL}, {"teacher_ckpt": None}),
        ({"checkpoint": "of_mine.pth"}, {"checkpoint": None}),
        ({"type": "TIMMBackbone"}, {"type": "TIMMBackbone", "pretrained": False}),
        ({"type": "mmseg.TIMMBackbone", "pretrained": True}, {"type": "mmseg.TIMMBackbone", "pretrained": False}),
    ],
)
def test_weights_that_a_config_names(part, left):
    config = Config({"model": {"type": "A", "layers": [{"inner": part}]}})
    before = config.pretty_text
    assert configs.own_model(config).to_dict() == {"type": "A", "layers": [{"inner": left}]}
    assert config.pretty_text == before


def test_what_else_comes_from_the_network():
    with pytest.raises(ConfigError, match=r"'words' of a part in its model is 'https://.+', and nothing is downloaded"):
        configs.own_model(Config({"model": {"backbone": {"words": URL}}}))


@pytest.mark.parametrize(
    ("content", "size"),
    [
        ({"model": {"backbone": {"img_size": 224}}, "crop_size": (512, 1024)}, (224, 224)),
        ({"model": {"backbone": {"img_size": (32, 64)}}}, (32, 64)),
        ({"model": {"data_preprocessor": {"size": (96, 128)}}}, (96, 128)),
        ({"model": {}, "crop_size": (512, 1024)}, (512, 1024)),
        ({"test_pipeline": [{"type": "Load"}, {"type": "Resize", "scale": (1333, 800)}]}, (800, 1333)),
        ({"train_pipeline": [{"transforms": [[{"type": "RandomResize", "scale": (640, 480)}]]}]}, (480, 640)),
        ({"test_pipeline": [{"type": "Resize", "scale": 0.5}]}, None),
        ({"model": {}}, None),
    ],
)
def test_the_size_that_a_config_was_made_for(content, size):
    assert own_size(Config(content)) == size


def test_a_config_in_messages():
    assert configs.name_of("mmdet::a.py") == "config 'mmdet::a.py'"
    assert configs.name_of(Config({})) == "config 'without a file'"


def test_a_file_that_cannot_be_read(tmp_path):
    package = configs.Package(title="T", module="t", distribution="t", folder=tmp_path, example="a.py")
    (tmp_path / "mine.py").write_text("model = undefined")
    with pytest.raises(ConfigError, match=r"mine\.py' cannot be read \(NameError: .*\)"):
        configs.load_config(package, tmp_path / "mine.py")
    (tmp_path / "needs.py").write_text("custom_imports = dict(imports='absent_pkg', allow_failed_imports=False)")
    with pytest.raises(ConfigError, match="without a package that is not installed: pip install absent_pkg"):
        configs.load_config(package, tmp_path / "needs.py")
