"""Each metric against an independent implementation, under each convention that changes it."""

import functools

import numpy as np
import pytest
import torch
from reference import (
    REFERENCES,
    ag,
    mi,
    mse,
    psnr,
    psnr_vifb,
    qabf,
    qcv,
    sf,
    ssim,
    ssim_gaussian,
    vif,
    vif_separable,
)
from torchmetrics.functional.image import (
    multiscale_structural_similarity_index_measure,
    structural_similarity_index_measure,
    visual_information_fidelity,
)
from torchmetrics.functional.regression import pearson_corrcoef

from metaloss.metrics import CONVENTIONS, evaluate


def twice(function):
    """The sum over two sources of a reference that gives their mean."""
    return lambda fused, sources: 2 * function(fused, sources)


def on_unit_range(function):
    return lambda fused, sources: function(fused / 255, [source / 255 for source in sources])


ms_ssim = REFERENCES["MS-SSIM"]
CHANGED = {
    ("cddfuse", "MI"): functools.partial(mi, base=np.e),
    ("cddfuse", "PSNR"): lambda fused, sources: psnr(fused, sources, peak=fused.max()),
    ("cddfuse", "VIF"): twice(vif),
    ("cddfuse", "SSIM"): twice(ssim),
    ("cddfuse", "MS-SSIM"): twice(ms_ssim),
    ("linfeng", "SF"): on_unit_range(sf),
    ("linfeng", "AG"): functools.partial(ag, intervals=True),
    ("linfeng", "MI"): functools.partial(mi, top=254),
    ("linfeng", "MSE"): on_unit_range(mse),
    ("linfeng", "PSNR"): on_unit_range(psnr),
    ("linfeng", "VIF"): twice(vif),
    ("linfeng", "SSIM"): twice(ssim_gaussian),
    ("linfeng", "MS-SSIM"): twice(ms_ssim),
    ("vifb", "SF"): functools.partial(sf, by_pixels=True),
    ("vifb", "AG"): functools.partial(ag, intervals=True),
    ("vifb", "MI"): functools.partial(mi, base=np.e, stretch=True),
    ("vifb", "PSNR"): psnr_vifb,
    ("vifb", "VIF"): twice(vif),
    ("vifb", "SSIM"): twice(ssim_gaussian),
    ("vifb", "MS-SSIM"): twice(ms_ssim),
    ("vifb", "Qcv"): functools.partial(qcv, stretch=True),
    ("clean", "Qabf"): functools.partial(qabf, clean=True),
    ("clean", "SSIM"): ssim_gaussian,
    ("clean", "Qcv"): functools.partial(qcv, boundary="symm"),
}


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_every_metric_against_the_reference(scene, convention):
    fused, sources = scene()
    values = evaluate(fused, sources, convention=convention)
    arrays = fused[0, 0].numpy(), [source[0, 0].numpy() for source in sources]
    assert list(values) == list(REFERENCES)
    for name, reference in REFERENCES.items():
        expected = CHANGED.get((convention, name), reference)(*arrays)
        assert values[name].item() == pytest.approx(expected, rel=1e-6), name


@pytest.mark.parametrize(("convention", "name"), CHANGED)
def test_what_a_convention_changes_can_be_seen(scene, convention, name):
    fused, sources = scene()
    # PSNR's peak shows where the fused image stays below 255, MI's merged levels where it does not.
    changes = []
    for image in (fused, (0.9 * fused).round()):
        there, here = (
            evaluate(image, sources, convention=word, metrics=[name])[name].item() for word in (convention, "tdfusion")
        )
        changes.append(abs(there / here - 1))
    assert max(changes) > 1e-5


def test_the_references_two_forms_of_vif_are_the_same(scene):
    fused, sources = scene(height=64, width=90)
    arrays = fused[0, 0].numpy(), [source[0, 0].numpy() for source in sources]
    assert vif(*arrays) == pytest.approx(vif_separable(*arrays), rel=1e-10)


def test_three_sources_against_the_reference(scene):
    fused, sources = scene(sources=3)
    values = evaluate(fused, sources)
    arrays = fused[0, 0].numpy(), [source[0, 0].numpy() for source in sources]
    for name, reference in REFERENCES.items():
        assert values[name].item() == pytest.approx(reference(*arrays), rel=1e-6), name


def test_the_same_values_as_torchmetrics(scene):
    fused, sources = scene(batch=2, dtype=torch.float32)
    values = evaluate(fused, sources, convention="tdfusion")
    each = {
        "VIF": [visual_information_fidelity(fused, source, reduction="none") for source in sources],
        "MS-SSIM": [
            multiscale_structural_similarity_index_measure(fused, source, data_range=255.0, reduction="none")
            for source in sources
        ],
        "CC": [pearson_corrcoef(fused.flatten(1).T, source.flatten(1).T) for source in sources],
    }
    for name, per_source in each.items():
        torch.testing.assert_close(values[name], torch.stack(per_source).mean(0), rtol=1e-4, atol=0)
    # torchmetrics averages over mirrored borders too, and has no sample covariances.
    maps = [
        structural_similarity_index_measure(fused, source, data_range=255.0, reduction="none", return_full_image=True)
        for source in sources
    ]
    inside = torch.stack([full[..., 5:-5, 5:-5].mean((1, 2, 3)) for _, full in maps]).mean(0)
    torch.testing.assert_close(evaluate(fused, sources, convention="clean")["SSIM"], inside, rtol=1e-4, atol=0)
