"""Published data sets by name, read as their archives unpack."""

from typing import TYPE_CHECKING

from metaloss.runtime.lazy import lazily

if TYPE_CHECKING:
    from metaloss.data.known.dataset import KnownDataset, known_dataset
    from metaloss.data.known.record import Known, Part, Protocol
    from metaloss.data.known.table import find_known, known_datasets

__all__ = ["Known", "KnownDataset", "Part", "Protocol", "find_known", "known_dataset", "known_datasets"]

_PLACES = {
    "Known": "record",
    "KnownDataset": "dataset",
    "Part": "record",
    "Protocol": "record",
    "find_known": "table",
    "known_dataset": "dataset",
    "known_datasets": "table",
}

if not TYPE_CHECKING:
    __getattr__ = lazily(__name__, _PLACES)
