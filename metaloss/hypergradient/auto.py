"""Forward mode where the fusion network allows it, double backward where not."""

from __future__ import annotations

import warnings

from metaloss.batch import FusionBatch
from metaloss.hypergradient.forward import forward
from metaloss.hypergradient.functional import RandomState
from metaloss.hypergradient.operators import MissingDerivativeError
from metaloss.hypergradient.problem import MetaGradient, MetaProblem
from metaloss.hypergradient.reverse import reverse
from metaloss.processes import rank


class Auto:
    """``forward``, or after a first refusal by an operator always ``reverse``, with one warning that names it."""

    def __init__(self) -> None:
        self.fallen_back = False

    def __call__(self, problem: MetaProblem, meta_train: FusionBatch, meta_test: FusionBatch) -> MetaGradient:
        """Computes the meta-gradient (Eq. 7), exactly.

        Raises:
            MissingDerivativeError: an operator has neither a forward-mode rule nor a second derivative.
        """
        if not self.fallen_back:
            start = RandomState.now()
            try:
                return forward(problem, meta_train, meta_test)
            except MissingDerivativeError as error:
                self.fallen_back = True
                start.restore()
                if rank() == 0:
                    warnings.warn(
                        f"{type(problem.fusion).__name__} or its loss uses {error.operator}, which has no forward-mode "
                        f"rule: falling back to hypergradient='reverse', exact but with more memory.{error.remedy}",
                        stacklevel=3,
                    )
        return reverse(problem, meta_train, meta_test)
