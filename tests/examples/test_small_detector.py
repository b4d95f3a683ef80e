import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

detector = pytest.importorskip("examples.small_detector", reason="needs torchvision")


def target(*boxes):
    return {"boxes": torch.tensor(boxes).reshape(-1, 4), "labels": torch.zeros(len(boxes), dtype=torch.int64)}


def test_maps_that_are_right_have_no_loss_and_give_the_boxes_back():
    boxes = torch.tensor([[6.0, 10.0, 18.0, 34.0], [42.0, 22.0, 58.0, 30.0]])
    logits, sides = torch.full((1, 2, 12, 16), -20.0), torch.ones(1, 4, 12, 16)
    for number, box in enumerate(boxes):
        column, row = (int(value) for value in (box[:2] + box[2:]) / 2 // 4)
        x, y = 4 * column + 2, 4 * row + 2
        logits[0, number, row, column] = 10.0 - number  # the first is the surest
        sides[0, :, row, column] = torch.stack([x - box[0], y - box[1], box[2] - x, box[3] - y])
    wanted = [{"boxes": boxes, "labels": torch.tensor([0, 1])}]
    assert sum(detector.detection_loss((logits, sides), wanted).values()) < 1e-5
    found = detector.detections((logits, sides))[0]
    sure = found["scores"] > 0.5
    assert found["labels"][sure].tolist() == [0, 1]
    torch.testing.assert_close(found["boxes"][sure], boxes)


@pytest.mark.slow
def test_it_learns_one_scene():
    torch.manual_seed(0)
    image = torch.full((1, 1, 48, 64), 0.2)
    image[..., 12:36, 20:30] = 0.9
    wanted = [target([20.0, 12.0, 30.0, 36.0])]
    network = detector.SmallDetector(1)
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    for _ in range(120):
        optimizer.zero_grad()
        sum(detector.detection_loss(network(image), wanted).values()).backward()
        optimizer.step()
    with torch.no_grad():
        found = detector.detections(network(image))[0]
    best = found["scores"].argmax()
    assert found["scores"][best] > 0.5
    torch.testing.assert_close(found["boxes"][best], wanted[0]["boxes"][0], atol=2.0, rtol=0)


def test_images_without_objects():
    network = detector.SmallDetector(2)
    loss = sum(detector.detection_loss(network(torch.rand(2, 1, 33, 50)), [target(), target()]).values())
    loss.backward()
    assert torch.isfinite(loss)
    assert all(param.grad is not None for param in network.parameters())


def test_gradient_on_the_image_by_finite_differences():
    network = detector.SmallDetector(1).double()
    image = torch.rand(1, 1, 16, 20, dtype=torch.float64, requires_grad=True)
    wanted = [{"boxes": torch.tensor([[3.0, 2.0, 15.0, 13.0]], dtype=torch.float64), "labels": torch.tensor([0])}]

    def loss(image):
        return sum(detector.detection_loss(network(image), wanted).values())

    (gradient,) = torch.autograd.grad(loss(image), image)
    direction = torch.randn_like(image)
    step = 1e-6
    with torch.no_grad():
        slope = (loss(image + step * direction) - loss(image - step * direction)) / (2 * step)
    assert float((gradient * direction).sum()) == pytest.approx(float(slope), rel=1e-5)


def test_brightness_and_contrast_of_the_whole_image_do_not_matter_to_the_detector():
    network, image = detector.SmallDetector(2).double(), torch.rand(1, 1, 32, 40, dtype=torch.float64)
    for one, other in zip(network(0.5 * image + 0.3), network(image), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3)
