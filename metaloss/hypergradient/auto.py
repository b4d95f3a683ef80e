"""Forward mode where the fusion network allows it, double backward where not."""

from __future__ import annotations

import re
import warnings

from metaloss.batch import FusionBatch
from metaloss.hypergradient.forward import forward
from metaloss.hypergradient.functional import RandomState
from metaloss.hypergradient.problem import MetaGradient, MetaProblem
from metaloss.hypergradient.reverse import reverse

_NO_FORWARD_MODE = ("forward AD", "forward mode AD", "forward-mode", "jvp")


class Auto:
    """``forward``, or after a first refusal by an operator always ``reverse``, with one warning that names it."""

    def __init__(self) -> None:
        self.fallen_back = False

    def __call__(self, problem: MetaProblem, meta_train: FusionBatch, meta_test: FusionBatch) -> MetaGradient:
        """Computes the meta-gradient (Eq. 7), exactly."""
        if not self.fallen_back:
            start = RandomState.now()
            try:
                return forward(problem, meta_train, meta_test)
            except (NotImplementedError, RuntimeError) as error:
                if not any(words in str(error) for words in _NO_FORWARD_MODE):
                    raise
                self.fallen_back = True
                start.restore()
                warnings.warn(
                    f"{type(problem.fusion).__name__} uses {blocking_operator(error)}, which has no forward-mode "
                    f"rule: falling back to hypergradient='reverse', exact but with more memory.{remedy(error)}",
                    stacklevel=3,
                )
        return reverse(problem, meta_train, meta_test)


def blocking_operator(error: Exception) -> str:
    """Reads from torch's message which operator lacks a derivative."""
    for pattern in (r"forward AD with (\S+)", r"(?:implement|jvp for|derivative for) '?([\w:.]+)'?", r"'([\w:]+)'"):
        found = re.search(pattern, str(error))
        if found:
            return found[1].rstrip(".,:;")
    return "an operator"


def remedy(error: Exception) -> str:
    """Names the way round for the operators that are known to block forward mode."""
    message = str(error)
    if "scaled_dot_product" in message:
        return (
            " Remedy: run the network's attention under "
            "torch.nn.attention.sdpa_kernel(SDPBackend.MATH), or with need_weights=True"
        )
    if "weight_norm" in message:
        return " Remedy: torch.nn.utils.parametrizations.weight_norm"
    return ""
