"""A detector small enough to train on a laptop's processor: objects as points (Zhou et al., arXiv 1904.07850)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.ops import batched_nms, generalized_box_iou_loss

from examples.small_networks import convolution

STRIDE = 4


class SmallDetector(nn.Module):
    """For each class a map of where objects have their centre, and at each place the box's four sides."""

    def __init__(self, classes: int, width: int = 24) -> None:
        super().__init__()
        widths = (width, 2 * width, 2 * width, 3 * width)
        befores = (1, *widths)
        self.down = nn.ModuleList(convolution(before, after) for before, after in zip(befores, widths, strict=False))
        self.merge = nn.ModuleList([convolution(5 * width, 2 * width, 1), convolution(4 * width, 2 * width, 1)])
        self.centres = nn.Sequential(convolution(2 * width, 2 * width, 1), nn.Conv2d(2 * width, classes, 1))
        self.sides = nn.Sequential(convolution(2 * width, 2 * width, 1), nn.Conv2d(2 * width, 4, 1))
        nn.init.constant_(self.centres[-1].bias, -4.0)  # objects are rare

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Maps an image (B, 1, H, W) to logits (B, classes, h, w) and distances (B, 4, h, w) in pixels.

        h and w are a quarter of H and W, rounded up; distances go left, up, right and down from a cell's middle.
        """
        kept = []
        x = F.instance_norm(image)  # as in SmallSegmenter
        for layer in self.down:
            x = layer(x)
            kept.append(x)
        for merge, skip in zip(self.merge, kept[2:0:-1], strict=True):
            x = F.interpolate(x, skip.shape[-2:], mode="bilinear", align_corners=False)
            x = merge(torch.cat([x, skip], dim=1))
        return self.centres(x), STRIDE * self.sides(x).clamp(max=6).exp()


def detection_loss(output: tuple[Tensor, Tensor], target: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """The focal loss of the centres and 1 - GIoU of the boxes, each per object.

    Args:
        output: what the detector gave for B images.
        target: B dicts of ``boxes`` (N, 4) xyxy in pixels and ``labels`` (N,).
    """
    logits, distances = output
    wanted = torch.zeros_like(logits)
    found, boxes = [], []
    for index, image in enumerate(target):
        for box, label in zip(image["boxes"], image["labels"], strict=True):
            row, column = _mark(wanted[index, label], box)
            found.append(_box(distances[index, :, row, column], row, column))
            boxes.append(box)
    objects = max(1, len(boxes))
    positive = wanted == 1
    share = logits.sigmoid()
    hits = (1 - share).square() * F.logsigmoid(logits)
    misses = (1 - wanted).pow(4) * share.square() * F.logsigmoid(-logits)
    overlap = generalized_box_iou_loss(torch.stack(found), torch.stack(boxes), reduction="sum") if boxes else 0.0
    return {
        "centre_loss": -torch.where(positive, hits, misses).sum() / objects,
        "box_loss": (distances.sum() * 0 + overlap) / objects,
    }


def detections(output: tuple[Tensor, Tensor], *, most: int = 50) -> list[dict[str, Tensor]]:
    """Reads boxes off the maps: per image ``boxes`` (N, 4) xyxy, ``scores`` (N,) and ``labels`` (N,), N <= most."""
    logits, distances = output
    scores = logits.sigmoid()
    scores = scores * (scores == F.max_pool2d(scores, 3, stride=1, padding=1))
    found = []
    for image, sides in zip(scores, distances, strict=True):
        best, place = image.flatten().topk(min(most, image.numel()))
        best, place = best[best > 0], place[best > 0]
        label, cell = place // image[0].numel(), place % image[0].numel()
        row, column = cell // image.shape[-1], cell % image.shape[-1]
        boxes = _box(sides[:, row, column], row, column)
        kept = batched_nms(boxes, best, label, 0.5)
        found.append({"boxes": boxes[kept], "scores": best[kept], "labels": label[kept]})
    return found


def _mark(plane: Tensor, box: Tensor) -> tuple[int, int]:
    """Draws an object's centre as a bell as wide as the box; returns its cell."""
    middle = (box[:2] + box[2:]) / 2 / STRIDE
    height, width = plane.shape
    column, row = (min(max(int(at), 0), size - 1) for at, size in zip(middle, (width, height), strict=True))
    spread = ((box[2:] - box[:2]) / STRIDE / 6).clamp(min=0.5)
    across = (torch.arange(width, device=plane.device) - column) / spread[0]
    down = (torch.arange(height, device=plane.device) - row) / spread[1]
    bell = torch.exp(-(across.square() + down.square()[:, None]) / 2).to(plane.dtype)
    torch.maximum(plane, bell, out=plane)
    return row, column


def _box(sides: Tensor, row: Tensor | int, column: Tensor | int) -> Tensor:
    """Boxes (..., 4) from distances (4, ...) at cells."""
    left, up, right, down = sides
    x, y = (column + 0.5) * STRIDE, (row + 0.5) * STRIDE
    return torch.stack([x - left, y - up, x + right, y + down], dim=-1)
