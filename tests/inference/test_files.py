import threading

import numpy as np
import pytest
from PIL import Image

from metaloss import Fuser
from metaloss.data import pair_folders, read_image
from metaloss.data.reading import Reading
from metaloss.errors import DataError
from metaloss.inference.files import fuse_files
from metaloss.inference.fuse import fuse_any_size
from metaloss.networks import ReFusionNet

READINGS = (Reading(), Reading())


@pytest.fixture
def folders(tmp_path):
    """Eleven pairs of three sizes, in runs of different length."""
    noise = np.random.default_rng(0)
    sizes = [(16, 20)] * 5 + [(20, 16)] + [(16, 20)] * 2 + [(40, 30)] * 3
    for folder in ("ir", "vi"):
        (tmp_path / folder).mkdir()
        for number, size in enumerate(sizes):
            pixels = noise.integers(0, 256, size, dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / folder / f"{number:02d}.png")
    return tmp_path


def test_every_file_equals_the_network_by_itself(folders):
    network = ReFusionNet().eval()
    given = []
    network.register_forward_pre_hook(lambda module, sources: given.append(tuple(sources[0].shape)))
    pairs = pair_folders([folders / "ir", folders / "vi"])
    done = list(fuse_files(Fuser(network), pairs, READINGS, lambda pair: folders / "out" / f"{pair.name}.png"))
    assert [scene.pair.name for scene in done] == [f"{number:02d}" for number in range(11)]
    assert [shape[0] for shape in given] == [5, 1, 2, 3]  # of one size, together
    for pair in pairs:
        sources = [read_image(path)[None] for path in pair.sources]
        expected = fuse_any_size(network, sources)[0].clamp(0, 1)
        written = read_image(folders / "out" / f"{pair.name}.png")
        assert (written - expected).abs().max() <= 0.5 / 255 + 1e-5


def test_large_images_go_one_by_one(folders, monkeypatch):
    monkeypatch.setattr("metaloss.inference.files._TOGETHER", {"cpu": 2 * 16 * 20})
    given = []
    network = ReFusionNet().eval()
    network.register_forward_pre_hook(lambda module, sources: given.append(len(sources[0])))
    pairs = pair_folders([folders / "ir", folders / "vi"])
    list(fuse_files(Fuser(network), pairs, READINGS, lambda pair: folders / "out" / f"{pair.name}.png"))
    assert given == [2, 2, 1, 1, 2, 1, 1, 1]


def test_a_file_that_breaks_in_between_ends_the_run_and_leaves_whole_files(folders):
    (folders / "vi" / "05.png").write_bytes(b"no image")
    pairs = pair_folders([folders / "ir", folders / "vi"])
    threads = threading.active_count()
    with pytest.raises(DataError, match=r"05\.png: cannot be read as an image"):
        list(fuse_files(Fuser(ReFusionNet()), pairs, READINGS, lambda pair: folders / "out" / f"{pair.name}.png"))
    assert threading.active_count() == threads
    assert sorted(file.name for file in (folders / "out").iterdir()) == [f"{number:02d}.png" for number in range(5)]


def test_what_ends_the_network_ends_the_threads_that_read_for_it(folders):
    def stop(module, sources):
        raise SystemExit(143)

    network = ReFusionNet()
    network.register_forward_pre_hook(stop)
    pairs = pair_folders([folders / "ir", folders / "vi"])
    threads = threading.active_count()
    with pytest.raises(SystemExit) as held:  # and with it all that was running
        list(fuse_files(Fuser(network), pairs, READINGS, lambda pair: folders / "out" / f"{pair.name}.png"))
    assert threading.active_count() == threads
    assert held.value.code == 143
