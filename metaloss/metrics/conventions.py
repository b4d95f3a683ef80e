"""What each published evaluation computes differently: one row per convention, one column per choice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from metaloss.errors import ConfigError, nearest

OverSources = Literal["mean", "sum"]
Colour = Literal["luma", "bands"]


@dataclass(frozen=True, kw_only=True)
class Convention:
    """The choices in which public implementations of the same metric differ.

    The defaults are those of TDFusion's published evaluation. Metrics that no column names are computed
    alike by every convention on grey images.

    Attributes:
        name: the word that selects the convention.
        summary: where it comes from, in one line for tables and help texts.
        colour: colour images are measured by their luma, or by their bands: red, green and blue each as a grey image,
            and the mean of the three values; SF on the three laid side by side.
        similarity_over: SSIM, MS-SSIM and VIF are averaged over the sources, or added up.
        ssim_window: a uniform window of 7x7 pixels with sample covariances (scikit-image's default),
            or Wang's Gaussian of 11x11 pixels, sigma 1.5.
        sobel_border: what lies outside the image for the edge filters of Qabf, Qcv, Qw and Qe.
        wrapped_angle: in Qabf, edges that differ by half a turn are parallel (else atan's jump stays).
        average_gradient_by: AG's sum is divided by M N, or by (M - 1)(N - 1).
        spatial_frequency_by: SF's sums are divided by the number of differences, or of pixels.
        unit_range: SF, MSE, RMSE and the error in PSNR are taken on images divided by 255.
        peak: PSNR's peak is 255, or the largest value of the fused image.
        psnr_error: PSNR's error is the mean square, or VIFB's norm divided by the number of pixels, which also is
            its RMSE.
        information_unit: MI in bits or nats.
        merge_top_levels: MI's joint histogram counts the levels 254 and 255 as one, as MATLAB's
            ``uint8(255) + 1 == 255`` does.
        stretch: each image is stretched to 0-255 and rounded before MI, TE, Qcv and Qcb.
        tsallis_marginals: TE's marginal frequencies are those of the source's and the fused image's own levels, or
            exchanged.
        pixel_features: FMI_pixel is of the pixels, or of binary edges.
        quality_index: Qs, Qw and Qe take Wang and Bovik's index in windows of 8x8, or SSIM in Gaussian ones.
        weighted_quality_of: Qw is of the images, or of their edges.
    """

    name: str
    summary: str
    colour: Colour = "luma"
    similarity_over: OverSources = "mean"
    ssim_window: Literal["uniform7", "gaussian11"] = "uniform7"
    sobel_border: Literal["zeros", "symmetric"] = "zeros"
    wrapped_angle: bool = False
    average_gradient_by: Literal["pixels", "intervals"] = "pixels"
    spatial_frequency_by: Literal["differences", "pixels"] = "differences"
    unit_range: bool = False
    peak: Literal["255", "fused maximum"] = "255"
    psnr_error: Literal["mean square", "norm per pixel"] = "mean square"
    information_unit: Literal["bits", "nats"] = "bits"
    merge_top_levels: bool = False
    stretch: bool = False
    tsallis_marginals: Literal["own", "exchanged"] = "own"
    pixel_features: Literal["pixels", "edges"] = "pixels"
    quality_index: Literal["universal", "ssim"] = "universal"
    weighted_quality_of: Literal["images", "edges"] = "images"

    @property
    def of_colour(self) -> str:
        """What is done with colour, in words."""
        return _OF_COLOUR[self.colour]


_OF_COLOUR: dict[Colour, str] = {
    "luma": "colour by its luma, rounded",
    "bands": "colour band by band, mean of the three values; SF on the bands side by side",
}
CONVENTIONS: dict[str, Convention] = {
    row.name: row
    for row in (
        Convention(name="tdfusion", summary="TDFusion's evaluation (CVPR 2025): means over the sources"),
        Convention(
            name="cddfuse",
            summary="CDDFuse's evaluator (CVPR 2023): SSIM and VIF summed, MI in nats, PSNR by the fused maximum",
            similarity_over="sum",
            peak="fused maximum",
            information_unit="nats",
        ),
        Convention(
            name="linfeng",
            summary="Linfeng Tang's evaluation for image fusion: SF, MSE on [0, 1], PSNR 48.13 dB above the usual",
            similarity_over="sum",
            ssim_window="gaussian11",
            average_gradient_by="intervals",
            unit_range=True,
            merge_top_levels=True,
            pixel_features="edges",
        ),
        Convention(
            name="vifb",
            summary="the VIFB benchmark (CVPR-W 2020): colour by bands, MI and Qcv on stretched images, its own PSNR",
            colour="bands",
            similarity_over="sum",
            ssim_window="gaussian11",
            average_gradient_by="intervals",
            spatial_frequency_by="pixels",
            psnr_error="norm per pixel",
            information_unit="nats",
            stretch=True,
            tsallis_marginals="exchanged",
            pixel_features="edges",
            quality_index="ssim",
            weighted_quality_of="edges",
        ),
        Convention(
            name="clean",
            summary="each metric as its paper has it: Gaussian SSIM, no border edges, angles without atan's jump",
            ssim_window="gaussian11",
            sobel_border="symmetric",
            wrapped_angle=True,
        ),
    )
}


def get_convention(name: str) -> Convention:
    """Looks a convention up.

    Args:
        name: one of :data:`CONVENTIONS`.

    Returns:
        Its row of the table.

    Raises:
        ConfigError: there is no such convention.
    """
    if name not in CONVENTIONS:
        raise ConfigError(f"convention={name!r}: choose one of {sorted(CONVENTIONS)}{nearest(name, CONVENTIONS)}")
    return CONVENTIONS[name]
