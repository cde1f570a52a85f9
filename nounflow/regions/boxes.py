"""Boxes, float32 [n, 4] as x0, y0, x1, y1 in pixels: overlap, growth, suppression, and what their places tell."""

import numpy as np
import torch
from torchvision.ops import batched_nms, box_iou

GEOMETRY = (
    *("objectness", "log_area", "log_aspect", "centre_x", "centre_y", "touches_border"),
    *("iou_with_larger", "covered_by_smaller"),
)
_POINTS = 16  # a side: points of a box at which it is looked whether smaller boxes cover it


def overlap(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes [n, 4] with boxes [m, 4]: float32 [n, m]."""
    found: np.ndarray = box_iou(_tensor(one).view(-1, 4), _tensor(other).view(-1, 4)).numpy()
    return found


def best_overlap(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Each box's greatest overlap with any of some others, float32 [n]; 0 where there are none."""
    return np.asarray(overlap(boxes, others).max(axis=1, initial=0.0))


def grown(boxes: np.ndarray, scale: float, width: int, height: int) -> np.ndarray:
    """Boxes [n, 4] of `scale` times their sides about their centres, at whole pixels outwards, within the image."""
    extra = (boxes[:, 2:] - boxes[:, :2]) * ((scale - 1) / 2)
    corners = np.concatenate([np.floor(boxes[:, :2] - extra), np.ceil(boxes[:, 2:] + extra)], axis=1)
    return np.asarray(np.clip(corners, 0, [width, height, width, height]), dtype=np.float32)


def degenerate(boxes: np.ndarray, min_side: float = 1.0) -> np.ndarray:
    """Whether a box is no box: not finite, or a side below `min_side`; bool [n]."""
    with np.errstate(invalid="ignore"):
        sides = boxes[:, 2:] - boxes[:, :2]
        return np.asarray(~(np.isfinite(boxes).all(axis=1) & (sides >= min_side).all(axis=1)))


def suppressed(boxes: np.ndarray, scores: np.ndarray, iou: float, groups: np.ndarray | None = None) -> np.ndarray:
    """Non-maximum suppression within groups [n] (of all where there are none): places that stay, best score first."""
    of = np.zeros(len(boxes), dtype=np.int64) if groups is None else np.asarray(groups, dtype=np.int64)
    kept: np.ndarray = batched_nms(_tensor(boxes).view(-1, 4), _tensor(scores), torch.from_numpy(of), iou).numpy()
    return kept


def geometry(boxes: np.ndarray, objectness: np.ndarray, width: int, height: int) -> np.ndarray:
    """What the places of an image's proposals tell of their fit, float32 [n, 8]; columns are `GEOMETRY`."""
    left, top, right, bottom = boxes.T
    wide, high = right - left, bottom - top
    area = wide * high
    larger = area[None, :] > area[:, None]  # [box, other]
    with_larger = np.where(larger, overlap(boxes, boxes), 0).max(axis=1, initial=0)
    border = (left <= 1) | (top <= 1) | (right >= width - 1) | (bottom >= height - 1)
    columns = [
        objectness,
        np.log(area / (width * height)),
        np.log(wide / high),
        (left + right) / (2 * width),
        (top + bottom) / (2 * height),
        border,
        with_larger,
        _covered(boxes, area),
    ]
    return np.stack(columns, axis=1).astype(np.float32)


def _covered(boxes: np.ndarray, area: np.ndarray) -> np.ndarray:
    """Share of each box that smaller ones cover, at a grid of points: float [n]."""
    steps = (np.arange(_POINTS) + 0.5) / _POINTS
    shares = np.zeros(len(boxes), dtype=np.float32)
    for i, (left, top, right, bottom) in enumerate(boxes):
        smaller = boxes[area < area[i]]
        across, down = left + steps * (right - left), top + steps * (bottom - top)
        columns = (smaller[:, :1] <= across) & (across < smaller[:, 2:3])  # [smaller, points]
        rows = (smaller[:, 1:2] <= down) & (down < smaller[:, 3:])
        shares[i] = (columns.T.astype(np.float32) @ rows.astype(np.float32) > 0).mean()
    return shares


def _tensor(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))
