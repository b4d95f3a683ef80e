"""A fusion network that ``torch.compile`` has made faster."""

from __future__ import annotations

import sys
import warnings

import torch
from torch import Tensor, nn

from metaloss.errors import ConfigError


class Compiled(nn.Module):
    """Compiles a network for each size of images when it first meets it.

    It says so on stderr, as that takes its time.

    Args:
        network: in evaluation mode, without gradient; its weights must not change any more.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        # with dynamic sizes the compiler fails on attention over channels
        self.compiled = torch.compile(network, dynamic=False, options={"freezing": True})
        self.known: set[torch.Size] = set()

    def forward(self, *sources: Tensor) -> Tensor:
        """Fuses.

        Raises:
            ConfigError: the compiler fails.
        """
        shape = sources[0].shape
        if shape not in self.known:
            words = f"compiling for {shape[-1]}x{shape[-2]} pixels: about half a minute, once per size"
            print(words, file=sys.stderr, flush=True)
            self.known.add(shape)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the compiler's, about itself
                fused: Tensor = self.compiled(*sources)
            return fused
        except RuntimeError as error:
            if not type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
                raise
            reason = str(error).strip().splitlines()[0][:200]
            raise ConfigError(f"compile: torch.compile fails here ({reason}): leave it out") from error
