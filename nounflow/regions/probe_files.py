"""A probe on disk: safetensors and, written last, a manifest; pseudo boxes in COCO's form."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nounflow.regions.coco import TrueBoxes
from nounflow.regions.learning import Learnt, Probe
from nounflow.schemas.boxes import xywh
from nounflow.schemas.regions import ProbeManifest
from nounflow.store.weights import load_beside, save_beside

_SHARED = ("texts", "novel")
_OWN = ("weights", "mean", "spread", "quality")


def write_probes(path: Path, probes: Mapping[str, Probe], **fields: Any) -> ProbeManifest:
    """Write variants of one probe, which share names and texts, then the manifest, whose other fields are given."""
    first = next(iter(probes.values()))
    tensors = {"texts": first.texts, "novel": first.novel}
    for variant, probe in probes.items():
        values = {name: getattr(probe, name) for name in _OWN}
        tensors |= {f"{variant}.{name}": value for name, value in values.items() if value is not None}
    pairs = list(zip(first.names, first.novel, strict=True))
    base, novel = (tuple(name for name, new in pairs if new == wanted) for wanted in (False, True))
    return save_beside(
        path,
        {name: torch.from_numpy(np.asarray(value)) for name, value in tensors.items()},
        lambda digest: ProbeManifest(base=base, novel=novel, weights_sha256=digest, **fields),
    )


def read_probes(path: Path) -> tuple[ProbeManifest, dict[str, Probe]]:
    """The manifest of a probe, and its variants by name.

    Raises:
        DamagedFileError: the weights are not those that the manifest names.
    """
    manifest, found = load_beside(ProbeManifest, path, "probe")
    tensors = {name: tensor.numpy() for name, tensor in found.items()}
    texts, novel = (tensors.pop(name) for name in _SHARED)
    probes = {}
    for variant in dict.fromkeys(name.partition(".")[0] for name in tensors):
        own = {name: tensors.get(f"{variant}.{name}") for name in _OWN}
        names = (*manifest.base, *manifest.novel)
        probes[variant] = Probe(names=names, novel=novel, texts=texts, one_scale=variant == "one_scale", **own)  # type: ignore[arg-type]
    return manifest, probes


def pseudo_boxes(learnt: Learnt, truth: TrueBoxes) -> list[dict[str, Any]]:
    """The retrieved boxes in COCO's results form: score is the objectness, cosine that of box and name."""
    number = dict(zip(truth.names, truth.category_ids, strict=True))
    return [
        {
            "image_id": truth.images[box.image.file][0],
            "file_name": box.image.file,
            "category_id": number.get(name),  # none of a name that the data set lacks
            "category": name,
            "bbox": xywh(box.image.boxes[box.row]),
            "score": round(float(box.image.objectness[box.row]), 6),
            "cosine": round(box.cosine, 6),
        }
        for name, boxes in learnt.pseudo.items()
        for box in boxes
    ]
