"""The weights of a fusion network without the rest of its training."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from metaloss.inference.fuse import fuse_any_size
from metaloss.networks.spec import describe_fusion
from metaloss.networks.wrappers import unwrapped
from metaloss.runtime.files import as_plain
from metaloss.runtime.versions import version_of


def weights_alone(
    network: nn.Module, sources: Sequence[str], ranges: Sequence[str]
) -> tuple[bytes, Callable[[Sequence[Tensor]], Tensor]]:
    """Makes the content of a file of weights, as checkpoints hold them.

    Args:
        network: the fusion network; it stays as it is.
        sources: the names of its inputs.
        ranges: with which each was read in training; none where that is not known.

    Returns:
        The file's content, and a function that fuses by a network with the weights of that content.
    """
    own = copy.deepcopy(unwrapped(network)).cpu().eval()
    data = {"sources": list(sources), **({"range": list(ranges)} if ranges else {})}
    versions = {"metaloss": version_of("metaloss") or "", "torch": str(torch.__version__)}
    about = {"fusion": describe_fusion(network), "data": data, "versions": versions}
    buffer = io.BytesIO()
    torch.save(as_plain({"fusion": own.state_dict(), "metaloss": about}), buffer)
    read = torch.load(io.BytesIO(buffer.getvalue()), weights_only=True)
    own.float().load_state_dict(read["fusion"])
    return buffer.getvalue(), lambda images: fuse_any_size(own, images)
