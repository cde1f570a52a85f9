"""What the region stage leaves: a probe's manifest, the row of a table, pictures with boxes."""

from __future__ import annotations

from typing import Any

from nounflow.schemas.documents import StoredDocument
from nounflow.schemas.embeddings import EmbedderIdentity
from nounflow.schemas.tags import NamedImage


class ProbeManifest(StoredDocument):
    """probe.json beside probe.safetensors. Written last."""

    test: str
    embedder: EmbedderIdentity
    base: tuple[str, ...]
    novel: tuple[str, ...]
    retrieved: dict[str, int]  # novel name -> pseudo boxes
    learnt_from: tuple[str, ...]  # images
    scored: tuple[str, ...]  # images; none of them among `learnt_from` unless transductive
    transductive: bool
    min_objectness: float
    source: str  # of the proposals
    settings: dict[str, Any]  # retrieval, probe, prompts, seed
    weights_sha256: str
    seconds: float


class RegionRow(StoredDocument):
    """A row of results/regions.tsv: a test, a run, a way of scoring. Scores are fractions of 1, None without boxes."""

    test: str
    run: str  # whose embedder sees, and who names freely
    embedder: str
    way: str
    transductive: bool
    proposals: str  # their source
    images: int  # scored
    learnt_from: int  # images
    names_novel: int
    names_base: int
    boxes_novel: int
    boxes_base: int
    ap50_novel: float | None
    ap50_novel_low: float | None
    ap50_novel_high: float | None
    ap50_base: float | None
    ap50_base_low: float | None
    ap50_base_high: float | None
    ap50_all: float | None
    ap50_all_low: float | None
    ap50_all_high: float | None
    ap_novel: float | None  # mean over overlaps 0.5 to 0.95
    ap_all: float | None
    difference: float | None  # of AP50 novel, to similarity alone on the same draws of images
    difference_low: float | None
    difference_high: float | None
    ar10_novel: float | None  # recall of the proposals at an overlap of 0.5, k of an image
    ar100_novel: float | None
    ar300_novel: float | None
    ar10_base: float | None
    ar100_base: float | None
    ar300_base: float | None
    ar100_novel_mean: float | None  # over overlaps 0.5 to 0.95, as COCO's AR
    ar100_base_mean: float | None
    ar_embedded_novel: float | None  # recall at 0.5 of the boxes that were embedded: the bound of AP50
    ar_embedded_base: float | None
    named_right: float | None  # free names: of the boxes found, the share that got the name or a synonym


class DrawnPicture(StoredDocument):
    """A picture with its boxes, and what stands below it."""

    test: str
    run: str
    file: str
    uri: str  # data:image/jpeg;base64,...
    width: int
    height: int
    true: tuple[str, ...]
    detected: tuple[str, ...]
    free: tuple[str, ...]


class RegionScores(StoredDocument):
    """results/regions.json: the rows and, beside them, AP50 of each name and some pictures."""

    rows: tuple[RegionRow, ...]
    per_name: dict[str, dict[str, float]]  # test/run/way -> name -> AP50
    unretrieved: dict[str, tuple[str, ...]]  # test/run -> novel names without a pseudo box
    named: tuple[NamedImage, ...] = ()  # free names of the scored images
    pictures: tuple[DrawnPicture, ...] = ()
