import sys
from fractions import Fraction

import av
import numpy as np
import pytest
import torch

from metaloss.data.video import VideoReader, VideoWriter, is_video
from metaloss.errors import DataError, PluginError


def frames(count, channels, bits, size=(15, 21)):
    top = 2**bits - 1
    noise = torch.Generator().manual_seed(0)
    return torch.randint(0, top + 1, (count, channels, *size), generator=noise) / top


def written(path, images, bits=8, **options):
    given = {"size": images.shape[-2:], "rate": Fraction(25), "colour": images.shape[1] == 3, "bits": bits} | options
    with VideoWriter(path, **given) as writer:
        for image in images:
            writer.write(image)
    return path


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("channels", [1, 3])
def test_there_and_back_without_loss(tmp_path, channels, bits):
    images = frames(4, channels, bits)
    path = written(tmp_path / "deep" / "a.mkv", images, bits, rate=Fraction(30000, 1001), metadata={"title": "A drive"})
    assert [file.name for file in path.parent.iterdir()] == ["a.mkv"]
    with VideoReader(path) as reader:
        assert (reader.size, reader.bits, reader.colour) == ((15, 21), bits, channels == 3)
        assert float(reader.rate) == pytest.approx(29.97, abs=0.01)
        assert {key.lower(): value for key, value in reader.metadata.items()}["title"] == "A drive"
        assert reader.count == 4
        read = torch.stack(list(reader))
    torch.testing.assert_close(read, images, rtol=0, atol=1e-6)


def test_reads_ordinary_video(tmp_path):
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"crf": "10"})
        stream.width, stream.height, stream.pix_fmt = 32, 16, "yuv420p"
        picture = np.full((16, 32, 3), (200, 80, 40), np.uint8)
        for _ in range(5):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    with VideoReader(tmp_path / "a.mp4") as reader:
        read = list(reader)
        assert (len(read), reader.count, reader.rate, reader.bits) == (5, 5, 10, 8)
    torch.testing.assert_close(read[0].mean((1, 2)) * 255, torch.tensor([200.0, 80, 40]), rtol=0, atol=4)


@pytest.mark.parametrize("content", [b"", b"no video at all" * 50])
def test_what_is_no_video(tmp_path, content):
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.mp4: cannot be read as a video") as error:
        VideoReader(tmp_path / "a.mp4")
    assert "\n" not in str(error.value)


def test_missing_file_and_sound_alone(tmp_path):
    with pytest.raises(DataError, match=r"b\.mp4: cannot be read as a video \(No such file"):
        VideoReader(tmp_path / "b.mp4")
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
    with pytest.raises(DataError, match=r"a\.mkv: holds no video"):
        VideoReader(tmp_path / "a.mkv")


def test_nothing_is_left_after_an_error(tmp_path):
    images = frames(2, 3, 8)

    def interrupted():
        with VideoWriter(tmp_path / "a.mkv", size=images.shape[-2:], rate=Fraction(25), colour=True) as writer:
            writer.write(images[0])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_said_of_the_file_and_nothing_is_left(tmp_path):
    images = frames(2, 3, 8)

    class Full:
        def encode(self, frame):
            raise OSError(28, "No space left on device")

    def write(count):
        with VideoWriter(tmp_path / "a.mkv", size=images.shape[-2:], rate=Fraction(25), colour=True) as writer:
            writer._stream = Full()
            for image in images[:count]:
                writer.write(image)

    for count in (1, 0):  # as a frame is written, and as the file is finished
        with pytest.raises(DataError, match=r"a\.mkv: cannot be written \(No space left on device\)"):
            write(count)
        assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        VideoWriter(tmp_path / "out" / "a.mkv", size=(4, 4), rate=Fraction(25), colour=True)


def test_without_the_library_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(PluginError, match=r"pip install 'metaloss\[video\]'"):
        VideoReader(tmp_path / "a.mkv")


def test_suffixes():
    assert is_video("a/b.MP4")
    assert not is_video("a/b.png")
