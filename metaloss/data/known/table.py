"""All known data sets, by name."""

from __future__ import annotations

import re
from collections.abc import Sequence

from metaloss.data.known import detection, segmentation, unlabelled
from metaloss.data.known.record import Known
from metaloss.errors import ConfigError, nearest

_RECORDS = (
    segmentation.MSRS,
    segmentation.FMB,
    segmentation.MFNET,
    detection.M3FD,
    detection.LLVIP,
    unlabelled.M3FD_FUSION,
    unlabelled.ROADSCENE,
    unlabelled.TNO,
    unlabelled.HARVARD_CT,
    unlabelled.HARVARD_PET,
    unlabelled.HARVARD_SPECT,
    unlabelled.LYTRO,
    unlabelled.MFI_WHU,
    unlabelled.MEFB,
)
HARVARD = ("harvard_ct", "harvard_pet", "harvard_spect")


def known_datasets() -> dict[str, Known]:
    """All known data sets, by name."""
    return {record.name: record for record in _RECORDS}


def find_known(name: str, sources: Sequence[str] | None = None) -> Known:
    """Finds a known data set.

    Args:
        name: capitals and the marks between words do not count: ``"MFI-WHU"``. ``"harvard"`` is the one of
            ``harvard_ct``, ``harvard_pet`` and ``harvard_spect`` that has these sources.
        sources: the names of the sources.

    Raises:
        ConfigError: none is called so; or ``"harvard"``, and no sources to choose by.
    """
    wanted = re.sub(r"[-/ ]", "_", name.lower())
    known = known_datasets()
    if wanted == "harvard":
        if sources is None:
            raise ConfigError(
                "the data set 'harvard' has three kinds of pairs: give sources=('CT', 'MRI'), ('PET', 'MRI') or "
                "('SPECT', 'MRI'), or one of harvard_ct, harvard_pet, harvard_spect"
            )
        fitting = [each for each in HARVARD if set(sources) == set(next(iter(known[each].parts.values())).sources)]
        wanted = fitting[0] if fitting else HARVARD[0]
    if wanted not in known:
        names = ("harvard", *known)
        raise ConfigError(
            f"no known data set {name!r}{nearest(wanted, names)}: choose one of {', '.join(names)}, or describe its "
            "folders with PairedDataset"
        )
    return known[wanted]
