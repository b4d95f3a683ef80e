import random

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from metaloss.batch import FusionBatch
from metaloss.data.checks import check_dataset
from metaloss.data.dataset import PairedDataset
from metaloss.data.synthetic import CONDITIONS, OBJECTS, VISIBILITY, SyntheticScene, SyntheticScenes, write_scenes
from metaloss.data.synthetic.scene import draw_scene
from metaloss.errors import ConfigError


@pytest.fixture(scope="module")
def scenes():
    dataset = SyntheticScenes(80, seed=7)
    return [dataset.scene(index) for index in range(80)]


def test_item_for_segmentation():
    dataset = SyntheticScenes(3, size=(64, 80))
    assert dataset.classes == ("background", "person", "sign", "car")
    assert dataset.num_classes == 4
    assert dataset.visibility == {"person": "ir", "sign": "vi", "car": "both"}
    item = dataset[0]
    assert [tuple(source.shape) for source in item["sources"]] == [(1, 64, 80), (1, 64, 80)]
    assert item["target"].shape == (64, 80)
    assert item["target"].dtype == torch.int64
    FusionBatch(
        sources=tuple(source[None] for source in item["sources"]),
        target=item["target"][None],
        chroma=item["chroma"][None],
        names=[item["names"]],
    )


def test_scenes_to_validate_on_are_others_of_the_same_seed():
    train, val = (SyntheticScenes(3, size=32, seed=4, split=split) for split in ("train", "val"))
    assert torch.equal(val[1]["sources"][0], SyntheticScenes(3, size=32, seed=5)[1]["sources"][0])
    assert not torch.equal(val[1]["sources"][0], train[1]["sources"][0])
    with pytest.raises(ConfigError, match="split='test': give 'train' or 'val'"):
        SyntheticScenes(3, split="test")


def test_item_for_detection():
    dataset = SyntheticScenes(3, target="detection")
    assert dataset.classes == ("person", "sign", "car")
    assert dataset.num_classes == 3
    target = dataset[1]["target"]
    assert set(target) == {"boxes", "labels"}
    assert target["boxes"].dtype == torch.float32
    assert target["labels"].dtype == torch.int64


@pytest.mark.parametrize("target", ["segmentation", "detection"])
def test_names_of_sources_and_classes(target):
    dataset = SyntheticScenes(1, target=target)
    assert dataset.sources == ("ir", "vi")
    assert dataset.metainfo == {"classes": dataset.classes}


def test_every_scene_is_well_formed(scenes):
    for scene in scenes:
        assert scene.vi_rgb.shape == (3, 96, 128)
        assert scene.ir.shape == (1, 96, 128)
        for image in (scene.ir, scene.vi_rgb):
            assert image.dtype == torch.float32
            assert image.is_contiguous()
            assert image.min() >= 0
            assert image.max() <= 1
        assert scene.boxes.shape == (len(scene.labels), 4)
        assert scene.visible_in == tuple(VISIBILITY[OBJECTS[label]] for label in scene.labels)
    assert {scene.condition for scene in scenes} == set(CONDITIONS)
    assert {0, 1, 2} == set(torch.cat([scene.labels for scene in scenes]).tolist())
    assert min(len(scene.boxes) for scene in scenes) == 0


def test_boxes_are_tight_around_what_is_to_be_seen(scenes):
    for scene in scenes:
        for (left, top, right, bottom), label in zip(scene.boxes.int().tolist(), scene.labels.tolist(), strict=True):
            assert 0 <= left < right <= 128
            assert 0 <= top < bottom <= 96
            inside = scene.mask[top:bottom, left:right] == label + 1
            assert inside.any(0)[[0, -1]].all()
            assert inside.any(1)[[0, -1]].all()


def test_a_scene_depends_on_seed_index_and_size_alone():
    long, short = SyntheticScenes(9, seed=3), SyntheticScenes(5, seed=3, target="detection")
    for index in (4, 0):
        first = long.scene(index)
        draw_scene.cache_clear()
        again = short.scene(index)
        assert again is not first
        assert torch.equal(first.vi_rgb, again.vi_rgb)
        assert torch.equal(first.ir, again.ir)
        assert torch.equal(first.mask, again.mask)
    assert torch.equal(long[-1]["sources"][0], long[8]["sources"][0])
    assert long[-1]["names"] == long[8]["names"]
    assert not torch.equal(long.scene(0).ir, long.scene(1).ir)
    assert not torch.equal(long.scene(0).ir, SyntheticScenes(9, seed=4).scene(0).ir)
    with pytest.raises(IndexError, match="scene 5 of 5"):
        short[5]
    assert len(list(short)) == 5


def test_a_scene_is_drawn_once():
    draw_scene.cache_clear()
    scene = SyntheticScenes(2, seed=5).scene(1)
    assert isinstance(scene, SyntheticScene)
    assert SyntheticScenes(3, seed=5, target="detection").scene(1) is scene
    assert SyntheticScenes(2, seed=5)[-1]["sources"][0] is scene.ir
    assert SyntheticScenes(2, seed=5, size=(96, 130)).scene(1) is not scene
    assert draw_scene.cache_info().misses == 2


def test_global_random_state_is_left_alone():
    states = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()
    draw_scene.cache_clear()
    SyntheticScenes(1)[0]
    assert torch.equal(torch.get_rng_state(), states[0])
    assert np.random.get_state()[1].tolist() == states[1]
    assert random.getstate() == states[2]


def contrasts(scenes, kind):
    """How far objects stand out from what surrounds them, in units of the surroundings' texture."""
    found = {"ir": [], "vi": []}
    for scene in scenes:
        inside = scene.mask == kind
        near = F.max_pool2d(inside[None].float(), 9, 1, 4)[0] > 0
        around = near & (scene.mask == 0)
        if inside.sum() < 20:
            continue
        for name, image in (("ir", scene.ir[0]), ("vi", scene.vi_rgb.mean(0))):
            found[name].append(((image[inside].mean() - image[around].mean()) / image[around].std()).abs().item())
    return {name: float(np.median(values)) for name, values in found.items()}


def test_each_class_shows_in_its_own_sources_only(scenes):
    person, sign, car = (contrasts(scenes, kind) for kind in (1, 2, 3))
    assert person["vi"] < 0.3
    assert person["ir"] > 3
    assert sign["ir"] < 0.4
    assert sign["vi"] > 1.5
    assert min(car.values()) > 0.7


@pytest.mark.parametrize("size", [(32, 32), (128, 48), (33, 200)])
def test_any_size(size):
    dataset = SyntheticScenes(20, size=size)
    for index in range(20):
        assert dataset.scene(index).mask.shape == size


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"length": 0}, "length=0"),
        ({"length": 1, "size": (31, 64)}, r"size=\(31, 64\)"),
        ({"length": 1, "size": 31}, "size=31"),
        ({"length": 1, "seed": -1}, "seed=-1"),
        ({"length": 1, "target": "segmentations"}, "did you mean 'segmentation'"),
    ],
)
def test_arguments_that_cannot_be_used(options, message):
    with pytest.raises(ConfigError, match=message):
        SyntheticScenes(**options)


def test_written_scenes_are_a_paired_data_set(tmp_path):
    scenes = SyntheticScenes(6, size=(48, 64), seed=1)
    write_scenes(tmp_path / "new", scenes)
    train, test = (PairedDataset(tmp_path / "new", split=f"{name}.txt") for name in ("train", "test"))
    assert (len(train), len(test)) == (5, 1)
    assert train.classes == scenes.classes
    check_dataset(train)
    for index in range(5):
        read, drawn = train[index], scenes[index]
        assert read["names"] == drawn["names"]
        assert torch.equal(read["target"], drawn["target"])
        assert (read["sources"][1] - drawn["sources"][1]).abs().max() < 0.003
        assert (read["sources"][0] - drawn["sources"][0]).abs().max() < 0.003
    with pytest.raises(ConfigError, match="1 scene cannot be split"):
        write_scenes(tmp_path, SyntheticScenes(1))


def test_varied_scenes_are_the_same_scenes_with_other_cameras():
    plain, varied = (SyntheticScenes(24, size=(64, 80), seed=3, varied=varied) for varied in (False, True))
    again = SyntheticScenes(24, size=(64, 80), seed=3, varied=True)
    hotter = []
    for index in range(24):
        known, taken = plain.scene(index), varied.scene(index)
        assert torch.equal(known.mask, taken.mask)
        assert torch.equal(known.boxes, taken.boxes)
        for image in (taken.ir, taken.vi_rgb):
            assert image.dtype == torch.float32
            assert 0 <= image.min() < image.max() <= 1
        assert torch.equal(taken.ir, again.scene(index).ir)
        assert not torch.equal(taken.vi_rgb, known.vi_rgb)
        persons = known.mask == 1
        if persons.sum() > 20:
            hotter.append(bool(taken.ir[0, persons].mean() > taken.ir[0, known.mask == 0].mean()))
    assert 0.5 < sum(hotter) / len(hotter) < 0.95  # of a quarter of the cameras, what is hot is black
    brightness = torch.stack([varied.scene(index).vi_rgb.mean() for index in range(24)])
    assert brightness.std() > 0.1
