"""EI: the strength of the fused image's edges."""

from __future__ import annotations

from torch import Tensor

from metaloss.metrics.conventions import Convention
from metaloss.metrics.edges import derivatives
from metaloss.metrics.images import Images, root
from metaloss.metrics.registry import fusion_metric


@fusion_metric("EI", title="edge intensity", cls="EdgeIntensity", needs_sources=False, optional=True)
def edge_intensity(images: Images, rules: Convention) -> Tensor:
    r"""EI: the mean strength of the fused image's Sobel edges; higher is better.

    :math:`\frac{1}{MN} \sum \sqrt{s_x^2 + s_y^2}` with Sobel's kernels (weights 1, 2, 1) and the border's
    pixels once more around the image (Rajalingam and Priya, 2018; Xydeas and Petrovic's edges).

    Returns:
        at least 0 (a constant image); eight times the grey levels per pixel.
    """
    horizontal, vertical = derivatives(images.stack[:1], "symmetric")
    return root(horizontal.square() + vertical.square())[0].mean((-2, -1))
