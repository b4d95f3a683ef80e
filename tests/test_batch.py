from collections import namedtuple

import numpy as np
import pytest
import torch
from PIL import Image
from toys import learner

from metaloss import DataError, FusionBatch, ShapeError


def image(*shape):
    return torch.rand(*(shape or (2, 1, 4, 5)))


def test_the_loss_sees_the_sources_or_its_own_view():
    sources, crops = (image(), image()), (image(2, 1, 2, 2), image(2, 1, 2, 2))
    assert FusionBatch(sources).loss_view is sources
    assert FusionBatch(sources, fusion_view=crops).loss_view is crops
    assert len(FusionBatch(sources)) == 2


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"sources": (image(),)}, "1 source given: .*at least two"),
        ({"sources": ()}, "0 source given"),
        ({"sources": (image(), image(2, 1, 4, 6))}, r"source 1 has shape \(2, 1, 4, 6\), source 0 has \(2, 1, 4, 5\)"),
        ({"sources": (image(4, 5), image(4, 5))}, r"\(4, 5\): expected \(B, C, H, W\)"),
        ({"sources": (image(), image().byte())}, r"torch\.uint8: expected floating point"),
        ({"fusion_view": (image(), image(), image())}, "fusion_view has 3 sources and sources has 2"),
        ({"fusion_view": (image(), image(2, 1, 2, 2))}, r"\(2, 1, 2, 2\)"),
        ({"fusion_view": (image(1, 1, 2, 2), image(1, 1, 2, 2))}, r"\(1, 1, 2, 2\) .*\(2, 1, 4, 5\).*same scenes"),
        ({"chroma": image(2, 2, 4, 4)}, r"chroma of shape \(2, 2, 4, 4\) .*\(2, 1, 4, 5\)"),
        ({"chroma": image(2, 1, 4, 5)}, r"expected \(B, 2, H, W\)"),
    ],
)
def test_shapes_that_do_not_fit(given, message):
    with pytest.raises(ShapeError, match=message):
        FusionBatch(**{"sources": (image(), image()), **given})


def test_to_moves_images_and_targets_and_leaves_the_batch():
    pair = namedtuple("pair", "a b")
    target = {"seg": torch.zeros(2, dtype=torch.int64), "det": [{"boxes": torch.ones(1, 4)}, None], "name": "x"}
    batch = FusionBatch(
        (image(), image()),
        {**target, "pair": pair(torch.ones(1), 2)},
        (image(), image()),
        image(2, 2, 4, 5),
        ("a", "b"),
    )
    moved = batch.to(torch.float64)
    assert {moved.sources[0].dtype, moved.loss_view[1].dtype, moved.chroma.dtype} == {torch.float64}
    assert moved.target["seg"].dtype == torch.int64
    assert batch.sources[0].dtype == torch.float32
    meta = batch.to("meta", torch.float16)
    assert meta.sources[1].is_meta
    assert meta.sources[1].dtype == torch.float16
    assert meta.target["seg"].is_meta
    assert meta.target["det"][0]["boxes"].is_meta
    assert meta.target["det"][0]["boxes"].dtype == torch.float32
    assert meta.target["det"][1] is None
    assert meta.target["name"] == "x"
    assert meta.target["pair"].a.is_meta
    assert meta.names == ("a", "b")
    order = torch.tensor([[0, 1], [1, 0]])
    assert FusionBatch(batch.sources, order=order).to("meta").order.is_meta


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_images_that_were_never_scaled(dtype):
    whole = torch.arange(40.0).reshape(2, 1, 4, 5).mul(6).to(dtype)
    with pytest.raises(
        DataError, match=r"^a, b: source 1 has values from 0 to 23\d: expected floats in \[0, 1\]; divide"
    ):
        FusionBatch((image().to(dtype), whole), names=("a", "b"))
    with pytest.raises(DataError, match=r"^source 0 has values from 0 to 23\d"):
        FusionBatch((whole, whole))
    FusionBatch((whole / 255 * 1.1, whole / 255 - 1))  # as of resizing, or of another scale


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (Image.new("L", (5, 4)), r"PIL\.Image"),
        (np.zeros((1, 1, 4, 5), np.float32), r"numpy\.ndarray"),
        ("a.png", r"builtins\.str"),
        ([[0.5]], r"builtins\.list"),
    ],
)
def test_sources_that_are_no_tensors(wrong, named):
    with pytest.raises(ShapeError, match=rf"^source 0 is a {named}: expected a tensor of shape \(B, C, H, W\)"):
        FusionBatch((wrong, image()))
    with pytest.raises(ShapeError, match=f"^source 1 is a {named}"):
        learner().fuse(image(), wrong)


def test_a_learner_refuses_them_as_well():
    whole = image() * 255
    with pytest.raises(DataError, match=r"^source 0 has values from .*divide by the largest"):
        learner().fuse(whole, whole)
    batch = FusionBatch((image(), image()), target=torch.rand(2, 1, 4, 5))
    batch.sources[1].mul_(255)  # as a batch on a GPU, whose values are not looked at when it is made
    for step in (lambda: learner().fusion_step(batch), lambda: learner().meta_step(batch, batch)):
        with pytest.raises(DataError, match=r"^source 1 has values from"):
            step()
