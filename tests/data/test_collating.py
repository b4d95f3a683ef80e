import pytest
import torch

import metaloss
from metaloss.data import collate
from metaloss.data.collating import collate_targets


def item(size=(4, 5), sources=2, **more):
    return {"sources": tuple(torch.rand(1, *size) for _ in range(sources)), **more}


def boxes(count):
    return {"boxes": torch.rand(count, 4), "labels": torch.zeros(count, dtype=torch.int64)}


def test_sources_are_stacked_in_their_order():
    items = [item(sources=3, names="a"), item(sources=3, names="b")]
    batch = collate(items)
    assert len(batch.sources) == 3
    for k, source in enumerate(batch.sources):
        assert torch.equal(source, torch.stack([each["sources"][k] for each in items]))
    assert batch.names == ("a", "b")
    assert batch.target is None
    assert batch.fusion_view is None
    assert batch.chroma is None
    assert collate([item()]).names == ("",)


def test_images_that_were_never_scaled():
    wrong = item(names="b")
    wrong["sources"][1].mul_(255).clamp_(0, 255)[0, 0, 0] = 255
    with pytest.raises(metaloss.DataError, match=r"^b: source 1 has values from .* to 255: expected floats in \[0"):
        collate([item(names="a"), wrong])
    excess = item()
    excess["sources"][0][0, 0, 0] = 1.02  # as of a sharp resizing
    assert collate([excess]).sources[0].amax() > 1


def test_views_and_chroma():
    views = [tuple(torch.rand(1, 2, 2) for _ in range(2)) for _ in range(2)]
    chroma = torch.rand(2, 4, 5) - 0.5
    batch = collate([item(fusion_view=views[0], chroma=chroma), item(fusion_view=views[1])])
    assert torch.equal(batch.fusion_view[1], torch.stack([views[0][1], views[1][1]]))
    assert torch.equal(batch.chroma, torch.stack([chroma, torch.zeros(2, 4, 5)]))


def test_targets_by_kind():
    ids = [torch.randint(3, (4, 5)) for _ in range(2)]
    assert torch.equal(collate_targets(ids), torch.stack(ids))
    detections = [boxes(3), boxes(0)]
    assert collate_targets(detections) == detections
    assert collate_targets([boxes(1), None])[1] is None
    assert collate_targets([None, None]) is None
    assert collate_targets([ids[0], None])[1] is None
    several = collate_targets([{"seg": ids[0], "det": detections[0]}, {"seg": ids[1], "det": None}])
    assert torch.equal(several["seg"], torch.stack(ids))
    assert several["det"] == [detections[0], None]
    partly = collate_targets([{"seg": ids[0]}, {"det": detections[1]}, None])
    assert partly["seg"][0] is ids[0]
    assert partly["seg"][1:] == [None, None]
    assert partly["det"] == [None, detections[1], None]


@pytest.mark.parametrize(
    ("second", "error", "message"),
    [
        (item((4, 6), names="b"), metaloss.ShapeError, r"b is \(1, 4, 6\) and a \(1, 4, 5\): .*task_size"),
        (item(sources=3, names="b"), metaloss.ShapeError, "b has 3 sources, a has 2"),
        (item(names="b", label=1), metaloss.DataError, "has the key 'label': expected the keys of FusionBatch"),
    ],
)
def test_items_that_do_not_fit(second, error, message):
    with pytest.raises(error, match=message):
        collate([item(names="a"), second])


def test_a_second_source_of_another_size_is_named_too():
    odd = {"sources": (torch.rand(1, 4, 5), torch.rand(1, 4, 6)), "names": "b"}
    with pytest.raises(metaloss.ShapeError, match=r"b is \(1, 4, 6\) and a \(1, 4, 5\)"):
        collate([item(names="a"), odd])
    with pytest.raises(metaloss.ShapeError, match=r"\(1, 1, 4, 6\).*\(1, 1, 4, 5\)"):
        collate([odd])
