"""The peak of the memory that tensors hold, on any device."""

from __future__ import annotations

import weakref
from typing import Any

from torch import Tensor
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode


class AllocatedMemory(TorchDispatchMode):
    """Counts the bytes of the tensors made inside the context; what operators use within themselves is not seen.

    Attributes:
        peak: the most that was held at once, in bytes.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.held = self.peak = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = {
            item.untyped_storage()._cdata for item in pytree.tree_leaves((args, kwargs)) if isinstance(item, Tensor)
        }
        output = func(*args, **(kwargs or {}))
        for item in pytree.tree_leaves(output):
            if isinstance(item, Tensor) and item.untyped_storage()._cdata not in given:
                self._add(item)
        return output

    def _add(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key in self._known:
            return
        self._known.add(key)
        self.held += size
        self.peak = max(self.peak, self.held)
        weakref.finalize(storage, self._free, key, size)

    def _free(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.held -= size
