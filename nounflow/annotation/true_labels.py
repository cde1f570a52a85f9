"""What the label file of a set of tags, or of boxes, says is right: the labels that judges by labels take."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nounflow.inputs import input_folder
from nounflow.schemas.boxes import CocoBox, read_coco
from nounflow.schemas.labels import Labels, LabelTable
from nounflow.schemas.named import NamedSet
from nounflow.schemas.tag_labels import read_tag_labels

_SAME = 0.5  # least overlap of a box with the true box that it is judged by


def true_labels(sets: Sequence[NamedSet], path: Path) -> LabelTable:
    """What annotations call an image or a box -> its labels. An image without a label, or a box on none, is left out.

    Args:
        sets: of one kind. Of an image with several tags any label makes a tag right; a box has the label of the true
            box that it overlaps most, by half at least.
        path: a label file of tags, a COCO file of boxes, or the manifest of composed scenes.
    """
    tags = sets[0].kind == "tags"
    if path.name == "manifest.json":
        path = input_folder(path) / ("labels.tsv" if tags else "instances.json")
    labels = LabelTable()
    if tags:
        truth = read_tag_labels(path, sorted({file for each in sets for file in each.samples}))
        for file, row in zip(truth.files, truth.values, strict=True):
            if present := [truth.labels[i] for i in np.flatnonzero(row > 0)]:
                labels[file] = Labels(gold=present[0], secondary=tuple(present[1:]))
        return labels
    boxes: dict[str, list[CocoBox]] = {}
    for one in read_coco(path).boxes:
        boxes.setdefault(one.file, []).append(one)
    for question in (question for each in sets for question in each.questions):
        overlaps = [overlap(question.box or (), one.box) for one in boxes.get(question.file, ())]
        if overlaps and max(overlaps) >= _SAME:
            labels[question.name] = Labels(gold=boxes[question.file][overlaps.index(max(overlaps))].label)
    return labels


def overlap(one: Sequence[float], other: Sequence[float]) -> float:
    """Intersection over union of two boxes x0, y0, x1, y1."""
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(0.0, wide) * max(0.0, high)
    both = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)) - shared
    return shared / both if both > 0 else 0.0
