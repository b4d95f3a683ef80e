"""The files of each place by the name of their scene: the stem, or what a pattern's stars match."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from metaloss.data.formats import FORMATS
from metaloss.data.listing import Listing, list_files
from metaloss.data.patterns import Part, literal, scene_names, wild_parts
from metaloss.errors import DataError

_Key = tuple[Part, ...]
_Way = Callable[[Listing], dict[str, _Key]]  # by a file's name what its scene is called


def images_by_stem(folder: Path) -> dict[str, Path]:
    """Lists the image files of a folder, or of a pattern, by stem, in the order of their names.

    Args:
        folder: the folder, or a pattern (see :func:`metaloss.data.pair_folders`); hidden files and other suffixes are
            left out.

    Returns:
        At least one file.

    Raises:
        DataError: no such folder, no images in it, two files of one stem, or a link that leads nowhere.
    """
    return _by_stem(_images(folder))


def files_by_scene(places: Sequence[Path]) -> list[dict[str, Path]]:
    """Lists the image files of several places, each by the name of its scene.

    That is the stem; of patterns what their wild parts match, where that pairs more of the files.

    Args:
        places: folders or patterns.

    Returns:
        Per place at least one file.

    Raises:
        DataError: as :func:`images_by_stem`, or two files of one scene.
    """
    listings = [_images(place) for place in places]
    if all(listing.pattern is None for listing in listings):
        return [_by_stem(listing) for listing in listings]
    listings = _shared_out(listings)
    ways: list[_Way] = [_stems, _wild, _wild_in_name]
    paired: list[tuple[int, list[dict[str, _Key]]]] = []
    for way in ways:
        keys = [way(listing) for listing in listings]
        texts = [{_texts(key) for key in found.values()} for found in keys]
        if all(len(known) == len(found) for known, found in zip(texts, keys, strict=True)):
            paired.append((len(set.intersection(*texts)), keys))
    most, best = max(paired, key=lambda each: each[0], default=(0, []))  # of equals the first
    if not most:
        return [_by_stem(listing) for listing in listings]  # or says which files have one stem
    names = _names([key for found in best for key in found.values()])
    return [
        {names[_texts(key)]: listing.path(name) for name, key in found.items()}
        for listing, found in zip(listings, best, strict=True)
    ]


def names_in_pattern(listing: Listing) -> dict[str, Path]:
    """The files of one pattern by what its wild parts match; of a folder by stem.

    Args:
        listing: of files that each have a scene of their own.

    Raises:
        DataError: two files of one scene.
    """
    if listing.pattern is None:
        return _by_stem(listing)
    keys = _wild(listing)
    found: dict[str, Path] = {}
    for name, scene in zip(keys, scene_names(keys.values()), strict=True):
        if scene in found:
            raise DataError(f"{found[scene]} and {listing.path(name)} are both of the scene {scene!r}: rename one")
        found[scene] = listing.path(name)
    return found


def _images(place: Path) -> Listing:
    listing = list_files(place, FORMATS)
    if not listing.names:
        raise DataError(f"{place}: no image files ({', '.join(FORMATS)}){_deeper(listing)}")
    return listing


def _deeper(listing: Listing) -> str:
    """How to reach the images in subfolders, where there are such and nothing else."""
    if listing.pattern is not None:
        return ""
    for folder, _, files in os.walk(listing.base):
        if any(os.path.splitext(file)[1].lower() in FORMATS for file in files):
            return f"; there are some in {folder}: give that folder, or write {listing.place / '**' / '*'} for all"
    return ""


def _by_stem(listing: Listing) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for name in listing.names:
        stem = os.path.splitext(os.path.basename(name))[0]
        if stem in files:
            first, second = _told_apart(files[stem], listing.path(name))
            raise DataError(
                f"{listing.place}: {first} and {second} have one stem, and files are paired by stem: keep one of them"
            )
        files[stem] = listing.path(name)
    return files


def _told_apart(first: Path, second: Path) -> tuple[str, str]:
    return (str(first), str(second)) if first.name == second.name else (first.name, second.name)


def _shared_out(listings: Sequence[Listing]) -> list[Listing]:
    """Gives a file that several patterns match to the one that says most: of ``*.jpg`` and ``*_RGB.jpg`` the latter."""
    files = [{os.path.join(listing.base, name): name for name in listing.names} for listing in listings]
    sizes = [len(literal(str(listing.place))) for listing in listings]
    shared = []
    for listing, own, size in zip(listings, files, sizes, strict=True):
        taken = {name for other, its in zip(files, sizes, strict=True) if its > size for name in own.keys() & other}
        left = tuple(name for path, name in own.items() if path not in taken)
        shared.append(replace(listing, names=left) if left else listing)
    return shared


def _stems(listing: Listing) -> dict[str, _Key]:
    return {name: (Part(os.path.splitext(os.path.basename(name))[0], "file"),) for name in listing.names}


def _wild(listing: Listing) -> dict[str, _Key]:
    if listing.pattern is None:
        return _stems(listing)
    read = wild_parts(listing.pattern)
    return {name: read(name) for name in listing.names}


def _wild_in_name(listing: Listing) -> dict[str, _Key]:
    """The parts in the file's name alone, where there are such: patterns may reach through different folders."""
    return {name: tuple(part for part in key if part.kind == "file") or key for name, key in _wild(listing).items()}


def _texts(key: _Key) -> tuple[str, ...]:
    return tuple(part.text for part in key)


def _names(keys: Sequence[_Key]) -> Mapping[tuple[str, ...], str]:
    """Names by key.

    Raises:
        DataError: two scenes would have one name.
    """
    distinct = {_texts(key): key for key in keys}
    names = dict(zip(distinct, scene_names(distinct.values()), strict=True))
    known: dict[str, tuple[str, ...]] = {}
    for key, name in names.items():
        if name in known or not name:
            what = f"the files of {known[name]} would have the name {name!r}, too" if name else "which is no name"
            raise DataError(f"the stars of the patterns match {key} in a file, {what}: rename it")
        known[name] = key
    return names
