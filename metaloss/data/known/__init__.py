"""Published data sets by name, read as their archives unpack."""

from metaloss.data.known.dataset import KnownDataset, known_dataset
from metaloss.data.known.record import Known, Part, Protocol
from metaloss.data.known.table import find_known, known_datasets

__all__ = ["Known", "KnownDataset", "Part", "Protocol", "find_known", "known_dataset", "known_datasets"]
