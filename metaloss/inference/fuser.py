"""A trained fusion network at work on images of any kind, in colour."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, overload

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from metaloss.batch import check_values
from metaloss.colour import luma
from metaloss.data.ranges import Ranges, SourceRange, check_ranges, ranges_of
from metaloss.errors import CheckpointError, ConfigError, DataError, at_least, one_of
from metaloss.inference.compiled import Compiled
from metaloss.inference.devices import best_device, device_named, place_of
from metaloss.inference.finish import Colour, Stretch, coloured, stretched
from metaloss.inference.fuse import fuse_any_size, fuse_in_tiles
from metaloss.inference.kinds import check_alike, float_type, give_back, read
from metaloss.inference.pretrained import DEFAULT, shipped_file, shipped_weights
from metaloss.networks.calling import name_of
from metaloss.plugins.loading import load
from metaloss.plugins.trained_range import trained_range
from metaloss.plugins.weights import Files
from metaloss.runtime.modes import in_evaluation

SMALLEST_TILE = 32


class Fuser:
    """Fuses images with a trained network, and gives back what it was given.

    The luma of the sources is fused and gets their colour; see :mod:`metaloss.inference.kinds` for what is taken.
    Sources of several kinds give a result of the first one's kind, as deep as the deepest: floats before 16 bits
    before 8. Nothing of the network is changed by a call: train and eval flags, gradients and random states are as
    they were. Several threads may call it at a time.

    Args:
        network: any fusion network ``(*sources) -> fused``.
        device: ``"cpu"``, ``"cuda"`` ...: the network is moved there; ``None``: it stays where it is.
        colour: ``"auto"`` keeps the sources' colour, ``"grey"`` gives the fused luma alone.
        colour_from: the number, from 0, of the source whose colour is taken alone, grey where it has none; ``None``:
            of all that have some, merged.
        stretch: ``"minmax"`` scales each fused image to its full range, as in published results.
        tile: fuse in tiles of this many pixels, overlapping and blended, where whole images do not fit into memory.
        range: which of the numbers in files, and of whole numbers in memory, become 0 and 1: one for all sources, one
            for each, or a dict by their number; see :mod:`metaloss.data.ranges`. ``None``: as in the training, where a
            checkpoint knows that, else full.
        compile: compile the network first, which takes half a minute for each size; its weights must stay.

    Raises:
        ConfigError: no network, or a setting out of its range.

    Example:
        >>> import numpy as np
        >>> import metaloss
        >>> fuser = metaloss.Fuser(metaloss.networks.ReFusionNet())
        >>> infrared, visible = np.zeros((48, 64), np.uint8), np.zeros((48, 64, 3), np.uint8)
        >>> fuser(infrared, visible).shape
        (48, 64, 3)
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        device: str | torch.device | None = None,
        colour: str = "auto",
        colour_from: int | None = None,
        stretch: str = "none",
        tile: int | None = None,
        range: Ranges | None = None,
        compile: bool = False,
    ) -> None:
        _check_network(network)
        if range is not None:
            check_ranges(range)
        self.colour = Colour(one_of("colour", colour, [each.value for each in Colour]))
        self.stretch = Stretch(one_of("stretch", stretch, [each.value for each in Stretch]))
        if colour_from is not None:
            at_least("colour_from", colour_from, 0)
            if self.colour is Colour.grey:
                raise ConfigError(f"colour_from={colour_from} with colour='grey': no colour is kept; leave one out")
        if tile is not None:
            at_least("tile", tile, SMALLEST_TILE)
        self.colour_from, self.tile, self.range = colour_from, tile, range
        self.network = network if device is None else network.to(device_named(device))
        self.compile = compile
        self._runs = Compiled(network) if compile else network

    @classmethod
    def pretrained(cls, name: str = DEFAULT, **options: Any) -> Fuser:
        """Makes a fuser of weights that come with the package.

        Args:
            name: ``"ivif"`` for infrared and visible images; a wrong name is answered with those that there are.
            options: of :class:`Fuser`; without ``device``, the GPU where there is one.

        Raises:
            ConfigError: no such weights.
            CheckpointError: this installation has none at all.

        Example:
            ``metaloss.Fuser.pretrained("ivif")("ir/01.png", "vi/01.png").save("fused.png")``
        """
        return cls.load(shipped_file(name), **options)

    @classmethod
    def load(cls, path: Files, *, fusion: nn.Module | None = None, network: str | None = None, **options: Any) -> Fuser:
        """Makes a fuser of a file of weights; nothing in it is run as code.

        Args:
            path: a checkpoint of ours, or a file that the authors of a network have published.
            fusion: the network that the weights belong to, where it was built in a script; as :func:`metaloss.load`.
            network: the name of that network, where it has one.
            options: of :class:`Fuser`; without ``device``, the GPU where there is one.

        Raises:
            CheckpointError: as :func:`metaloss.load`.

        Example:
            ``metaloss.Fuser.load("work_dirs/demo/epoch_10.pth", tile=512)``
        """
        if isinstance(path, str) and path in shipped_weights() and not os.path.exists(path):
            raise CheckpointError(
                f"{path}: no such file; Fuser.pretrained({path!r}) takes those that come with metaloss"
            )
        loaded = load(path, fusion=fusion, network=network)
        return cls(loaded, **{"device": best_device(), **options})

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return place_of(self.network)[0]

    @overload
    def __call__(self, *sources: Tensor) -> Tensor: ...
    @overload
    def __call__(self, *sources: NDArray[Any]) -> NDArray[Any]: ...
    @overload
    def __call__(self, *sources: Any) -> Any: ...
    def __call__(self, *sources: Any) -> Any:
        """Fuses registered images of one scene, or batches of them.

        Args:
            sources: two or more, as the network takes: tensors, NumPy arrays, PIL images or paths.

        Returns:
            The fused image as the same kind; of paths a PIL image (of 16 bits where a grey result comes from deeper
            files: PIL has no colour of 16 bits).

        Raises:
            ShapeError: no images, another shape, fewer than two, or of different sizes.
            DataError: a file that cannot be read, floats that were never brought into [0, 1], whole numbers that are
                neither uint8 nor uint16, images that do not fit into memory, or a network that gives no numbers.
            ConfigError: ``colour_from`` is no source's number, or the network is called in another way.
        """
        ranges = self._ranges(sources)
        found = [read(source, number, own) for number, (source, own) in enumerate(zip(sources, ranges, strict=True))]
        check_alike(found)
        if self.colour_from is not None and self.colour_from >= len(found):
            raise ConfigError(f"colour_from={self.colour_from}: there are {len(found)} sources, numbered from 0")
        batches = [each.images for each in found]
        scenes = [[_without_equal_channels(image) for image in images] for images in zip(*batches, strict=True)]
        asked = found if self.colour_from is None else found[self.colour_from : self.colour_from + 1]
        channels = 3 if self.colour is Colour.auto and any(each.images.shape[1] == 3 for each in asked) else 1
        fused = torch.stack([image.expand(channels, -1, -1) for image in self.fuse(scenes)])
        return give_back(fused, sources[0], max(each.depth for each in found), float_type(sources))

    @torch.no_grad()
    def fuse(self, scenes: Sequence[Sequence[Tensor]]) -> list[Tensor]:
        """Fuses scenes of one size together.

        Args:
            scenes: of each the sources, each (3, H, W) or (1, H, W), in [0, 1].

        Returns:
            Of each the fused image, (3, H, W) or (1, H, W), in [0, 1], on the CPU.

        Raises:
            DataError: the images were never brought into [0, 1], or do not fit into memory, or the network gives NaN.
        """
        for images in scenes:
            check_values(images)
        device, dtype = place_of(self.network)
        lumas = [
            torch.stack([image if len(image) == 1 else luma(image) for image in images]).to(device, dtype)
            for images in zip(*scenes, strict=True)
        ]
        try:
            with in_evaluation(self.network):
                fused = fuse_any_size(self._runs, lumas) if self.tile is None else self._tiled(lumas, self.tile)
        except RuntimeError as error:
            if not isinstance(error, torch.OutOfMemoryError) and "allocate memory" not in str(error):
                raise
            if len(scenes) == 1:
                raise DataError(_too_large(scenes[0][0], self.tile)) from error
            return [self.fuse([images])[0] for images in scenes]
        fused = fused.to("cpu", scenes[0][0].dtype)
        if not fused.isfinite().all():
            half = "; in half precision numbers overflow, Fuser(network.float()) has room" * (dtype == torch.float16)
            raise DataError(
                f"{name_of(self.network)} gave NaN or infinite values: its weights are damaged, or too large{half}"
            )
        return [self._finished(image, images) for image, images in zip(fused, scenes, strict=True)]

    def _tiled(self, lumas: Sequence[Tensor], tile: int) -> Tensor:
        return fuse_in_tiles(self._runs, lumas, tile=tile)

    def _finished(self, fused: Tensor, images: Sequence[Tensor]) -> Tensor:
        fused = fused.clamp(0, 1)
        if self.stretch is Stretch.minmax:
            fused = stretched(fused)
        return fused if self.colour is Colour.grey else coloured(fused, images, self.colour_from)

    def _ranges(self, sources: Sequence[Any]) -> Sequence[SourceRange]:
        """Of each source; those of the training go by the folders' names, where paths have the same."""
        folders = [Path(source).parent.name for source in sources if isinstance(source, (str, os.PathLike))]
        known = len(folders) == len(set(folders)) == len(sources)
        names = folders if known else [str(number) for number in range(len(sources))]
        return trained_range(self.network, names) if self.range is None else ranges_of(self.range, names)


def _check_network(network: Any) -> None:
    if not isinstance(network, nn.Module):
        fix = f"; Fuser.load({str(network)!r}) reads a file" if isinstance(network, (str, os.PathLike)) else ""
        raise ConfigError(f"Fuser({network!r}): expected a network, an nn.Module{fix}")


def _too_large(image: Tensor, tile: int | None) -> str:
    height, width = image.shape[-2:]
    fix = "tile=512 (--tile 512) fuses part by part" if tile is None else f"give less than tile={tile}"
    return f"{width}x{height} pixels do not fit into memory: {fix}"


def _without_equal_channels(image: Tensor) -> Tensor:
    """(1, H, W) where red, green and blue are equal everywhere: such an image is grey, whatever it is stored as."""
    grey = len(image) == 3 and torch.equal(image[0], image[1]) and torch.equal(image[0], image[2])
    return image[:1] if grey else image
