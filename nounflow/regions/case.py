"""One test of one run, from its files to rows of the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from nounflow.config.regions import FusionConfig, RegionCase, RegionsConfig
from nounflow.embedders.load import load_embedder
from nounflow.open_set.reference import temperature_of
from nounflow.predictors.loading import load_predictor
from nounflow.regions.boxes import overlap
from nounflow.regions.coco import TrueBoxes, read_boxes
from nounflow.regions.detection import Detections, keep
from nounflow.regions.drawing import Label
from nounflow.regions.evaluation import LIMITS, recall
from nounflow.regions.free_names import NamedBox, answer_of, label_scores, lexicon_groups, name_boxes
from nounflow.regions.image_regions import ImageRegions
from nounflow.regions.probe_files import read_probes
from nounflow.regions.scoring import Interval, Results, WayScores, coco_results, detect, score_ways
from nounflow.regions.view import RegionView
from nounflow.schemas.regions import RegionRow
from nounflow.schemas.tags import NamedImage, NamedNoun
from nounflow.store.shards import check_identity

FREE = "free_names"
_PICTURES = 12  # of a case
_SHOWN = 5  # boxes in a picture


class Drawn(NamedTuple):
    """An image for the page: what is detected in it, and what stands below it."""

    file: str
    detected: list[Label]
    true: tuple[str, ...]
    free: tuple[str, ...]


@dataclass(frozen=True)
class ScoredCase:
    """What a case adds to the table."""

    rows: list[RegionRow]
    per_name: dict[str, dict[str, float]]  # way -> name -> AP50
    unretrieved: tuple[str, ...]
    detections: dict[str, Results]
    drawn: list[Drawn]
    named: list[NamedImage]  # free names


def score_case(case: RegionCase, settings: RegionsConfig, device: str) -> ScoredCase:
    """Score all ways of a test, and the free names of a run."""
    manifest, probes = read_probes(case.probe)
    view = RegionView(case.view, case.proposals)
    truth = read_boxes(case.boxes, view.manifest.files)
    predictor = load_predictor(case.predictor, device)
    model = load_embedder(case.embedder, device, images=False)
    for found, where in ((view.manifest.embedder, case.view), (predictor.manifest.embedder, case.predictor)):
        check_identity(found, manifest.embedder, where, case.probe)
    names, temperature = (*manifest.base, *manifest.novel), settings.fusion.temperature
    images = list(view.images(manifest.scored))
    if temperature == "auto":
        temperature = temperature_of(manifest.embedder)
    ways = detect(images, probes, truth, settings.fusion, temperature)

    groups, answer = lexicon_groups(predictor.manifest), answer_of(predictor)
    named = {image.file: name_boxes(image, answer, groups, settings.fusion) for image in images}
    nouns = sorted({one.noun for boxes in named.values() for one in boxes})
    vectors = dict(zip(nouns, model.encode_texts(nouns, progress=False) if nouns else (), strict=True))
    ways[FREE] = _matched(images, named, vectors, probes["probe"].texts, names, truth, settings.fusion)

    parts = {"novel": manifest.novel, "base": manifest.base, "all": names}
    subsets = {part: [name for name in of if name in truth.names] for part, of in parts.items()}  # a name may be added
    scores = score_ways(truth, manifest.scored, subsets, ways, settings.seed)
    right = named_right(truth, named, subsets["all"], groups)
    shared = {
        "test": case.test,
        "run": case.run,
        "embedder": manifest.embedder.spec,
        "transductive": manifest.transductive,
        "proposals": manifest.source,
        "images": len(manifest.scored),
        "learnt_from": len(manifest.learnt_from),
        "names_novel": len(manifest.novel),
        "names_base": len(manifest.base),
        **_recalls(truth, view, images, manifest.scored, subsets),
    }
    return ScoredCase(
        [
            RegionRow(way=way, named_right=right if way == FREE else None, **shared, **_columns(one))
            for way, one in scores.items()
        ],
        {way: one.per_name for way, one in scores.items()},
        tuple(name for name, number in manifest.retrieved.items() if not number),
        ways,
        [_drawn(image, truth, ways["fused"], named[image.file]) for image in images[:_PICTURES]],
        [_named(case, image.file, named[image.file]) for image in images],
    )


def _named(case: RegionCase, file: str, boxes: list[NamedBox]) -> NamedImage:
    found = [NamedNoun(noun=one.noun, score=round(one.score, 4), box=one.box) for one in boxes]
    return NamedImage(set=case.test, run=case.run, file=file, tags=tuple(found))


def named_right(
    truth: TrueBoxes, named: Mapping[str, list[NamedBox]], names: Sequence[str], groups: Mapping[str, str]
) -> float | None:
    """Of the true boxes that a named box overlaps by half, the share whose best such box has the name or a synonym."""
    verdicts = []
    for file, boxes in named.items():
        corners = np.array([one.box for one in boxes], dtype=np.float32)
        for name in names:
            for overlaps in overlap(truth.boxes_of(file, [truth.names.index(name)]), corners):
                if overlaps.max(initial=0) >= 0.5:
                    noun = boxes[int(overlaps.argmax())].noun
                    verdicts.append(noun == name or groups.get(noun, noun) == groups.get(name, name))
    return float(np.mean(verdicts)) if verdicts else None


def _matched(
    images: list[ImageRegions],
    named: Mapping[str, list[NamedBox]],
    vectors: Mapping[str, np.ndarray],
    labels: np.ndarray,
    names: tuple[str, ...],
    truth: TrueBoxes,
    config: FusionConfig,
) -> Results:
    """Free names as detections of a list's labels."""
    results: Results = []
    for image in images:
        scores = label_scores(named[image.file], vectors, labels)
        rows = np.array([one.row for one in named[image.file]], dtype=np.int64)
        kept = keep(image.boxes[rows], scores, config)
        results += coco_results(image, Detections(rows[kept.rows], kept.names, kept.scores), names, truth)
    return results


def _recalls(
    truth: TrueBoxes,
    view: RegionView,
    images: list[ImageRegions],
    scored: tuple[str, ...],
    subsets: Mapping[str, Sequence[str]],
) -> dict[str, float | int | None]:
    columns: dict[str, float | int | None] = {}
    embedded = {image.file: image.boxes for image in images}
    for subset in ("novel", "base"):
        places = [truth.names.index(name) for name in subsets[subset]]
        boxes = {file: truth.boxes_of(file, places) for file in scored}
        columns[f"boxes_{subset}"] = sum(map(len, boxes.values()))
        for limit in LIMITS:
            at_half, mean = recall(view.proposals, boxes, limit)
            columns[f"ar{limit}_{subset}"] = at_half
            if limit == 100:
                columns[f"ar{limit}_{subset}_mean"] = mean
        columns[f"ar_embedded_{subset}"] = recall(embedded, boxes)[0]
    return columns


def _columns(scores: WayScores) -> dict[str, float | None]:
    def three(name: str, found: Interval) -> dict[str, float | None]:
        return {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}

    columns = three("difference", scores.difference)
    for subset, found in scores.ap50.items():
        columns |= three(f"ap50_{subset}", found)
    return columns | {"ap_novel": scores.ap["novel"], "ap_all": scores.ap["all"]}


def _drawn(image: ImageRegions, truth: TrueBoxes, results: Results, free: list[NamedBox]) -> Drawn:
    names = dict(zip(truth.category_ids, truth.names, strict=True))
    mine = [one for one in results if one["image_id"] == truth.images[image.file][0]]
    mine.sort(key=lambda one: -one["score"])
    detected = []
    for one in mine[:_SHOWN]:
        x, y, width, height = one["bbox"]
        detected.append(Label((x, y, x + width, y + height), f"{names[one['category_id']]} {one['score']:.2f}"))
    true = tuple(truth.names[label] for label in truth.labels[image.file].tolist())
    return Drawn(image.file, detected, true, tuple(f"{one.noun} {one.probability:.0%}" for one in free[:_SHOWN]))
