"""Video files to tensors and back, by way of PyAV (FFmpeg's libraries)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from metaloss.errors import DataError, PluginError
from metaloss.runtime.files import partial_name

VIDEO_SUFFIXES = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ts", ".webm", ".wmv")
# array format and the lossless codec's pixel format, by colour and bits
_WRITTEN = {
    (False, 8): ("gray", "gray"),
    (False, 16): ("gray16le", "gray16le"),
    (True, 8): ("rgb24", "bgr0"),
    (True, 16): ("rgb48le", "gbrp16le"),
}


def is_video(path: str | os.PathLike[str]) -> bool:
    """Says whether a path has the suffix of a video file."""
    return Path(path).suffix.lower() in VIDEO_SUFFIXES


class VideoReader:
    """The first video stream of a file, frame by frame; frames that are stored turned are not turned.

    Args:
        path: the file.

    Attributes:
        path: as given.
        size: height and width, pixels.
        bits: per channel, 8 or 16 (for everything above 8).
        colour: whether frames have three channels.
        rate: frames per second.
        count: how many frames there are, or 0 where the file does not say.
        metadata: the file's own: title and the like.

    Raises:
        DataError: missing, damaged, or without video.
        PluginError: PyAV is not installed.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        av = _av()
        try:
            self._container: Any = av.open(str(self.path))
        except (OSError, ValueError) as error:  # FFmpeg's errors are of either kind
            raise DataError(f"{self.path}: cannot be read as a video ({_reason(error)})") from error
        if not self._container.streams.video:
            self._container.close()
            raise DataError(f"{self.path}: holds no video")
        stream = self._container.streams.video[0]
        stream.thread_type = "AUTO"
        self._stream = stream
        self.size = (stream.height, stream.width)
        pixels = stream.codec_context.format
        self.bits = 8 if pixels is None or pixels.components[0].bits <= 8 else 16
        self.colour = pixels is None or not pixels.name.startswith("gray")
        self.rate = Fraction(stream.average_rate or stream.guessed_rate or 25)
        seconds = self._container.duration / av.time_base if self._container.duration else 0
        self.count = int(stream.frames or round(seconds * self.rate))
        self.metadata = dict(self._container.metadata)

    def __iter__(self) -> Iterator[Tensor]:
        """Decodes the frames, each (C, H, W), float32 in [0, 1].

        Raises:
            DataError: the file is damaged.
        """
        array_format, _ = _WRITTEN[self.colour, self.bits]
        try:
            for frame in self._container.decode(self._stream):
                yield self._tensor(frame.to_ndarray(format=array_format))
        except (OSError, ValueError) as error:
            raise DataError(f"{self.path}: a frame cannot be read ({_reason(error)})") from error

    def _tensor(self, pixels: Any) -> Tensor:
        scaled = torch.from_numpy(pixels.astype(np.float32)).div_(2**self.bits - 1)
        return scaled[None] if scaled.ndim == 2 else scaled.permute(2, 0, 1).contiguous()

    def __enter__(self) -> VideoReader:
        """Gives itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes the file."""
        self._container.close()


class VideoWriter:
    """Writes frames without loss (FFV1 in Matroska); the file is there once the block has ended well.

    Args:
        path: ends in .mkv; missing folders are made.
        size: height and width, pixels.
        rate: frames per second.
        colour: whether frames have three channels.
        bits: per channel, 8 or 16.
        metadata: of the file: title and the like.

    Raises:
        DataError: the file cannot be written.
        PluginError: PyAV is not installed.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        size: tuple[int, int],
        rate: Fraction,
        colour: bool,
        bits: int = 8,
        metadata: dict[str, str] | None = None,
    ) -> None:
        self._av = _av()
        self.path = Path(path)
        self.bits = bits
        self._array_format, pixel_format = _WRITTEN[colour, bits]
        self._beside = self.path.with_name(partial_name(self.path.name))
        with self._said():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._container: Any = self._av.open(str(self._beside), "w", format="matroska")
        self._container.metadata.update(metadata or {})
        self._stream = self._container.add_stream("ffv1", rate=rate, options={"level": "3"})
        self._stream.height, self._stream.width = size
        self._stream.pix_fmt = pixel_format

    def write(self, frame: Tensor) -> None:
        """Appends a frame (C, H, W) in [0, 1], of the size and the channels that were announced."""
        levels = frame.detach().cpu().float().clamp(0, 1).mul(2**self.bits - 1).round().permute(1, 2, 0).numpy()
        pixels = np.ascontiguousarray(levels.astype(np.uint8 if self.bits == 8 else np.uint16))
        if pixels.shape[-1] == 1:
            pixels = pixels[..., 0]
        picture = self._av.VideoFrame.from_ndarray(pixels, format=self._array_format)
        with self._said():
            self._container.mux(self._stream.encode(picture))

    def __enter__(self) -> VideoWriter:
        """Gives itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """Finishes the file and puts it in its place; after an error nothing is left of it."""
        try:
            with self._said():
                if kind is None:
                    self._container.mux(self._stream.encode(None))
                self._container.close()
                if kind is None:
                    self._beside.replace(self.path)
        except DataError:
            if kind is None:  # else it follows from the first
                raise
        finally:
            self._beside.unlink(missing_ok=True)

    @contextmanager
    def _said(self) -> Iterator[None]:
        """Says of which file an error of the system is, a full disk say."""
        try:
            yield
        except OSError as error:
            raise DataError(f"{self.path}: cannot be written ({_reason(error)})") from error


def _av() -> Any:
    try:
        import av
    except ImportError:
        raise PluginError("video needs PyAV: pip install 'metaloss[video]'") from None
    return av


def _reason(error: Exception) -> str:
    return " ".join((getattr(error, "strerror", None) or str(error) or type(error).__name__).split())
