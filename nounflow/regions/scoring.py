"""One test of one run: detections of each way, their average precision, intervals and differences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from nounflow.config.regions import FusionConfig
from nounflow.regions.coco import TrueBoxes
from nounflow.regions.detection import WAYS, Detections, evidence, keep
from nounflow.regions.evaluation import Ranked, evaluate, resampled_ap50
from nounflow.regions.image_regions import ImageRegions
from nounflow.regions.learning import Probe
from nounflow.schemas.boxes import xywh
from nounflow.scoring.intervals import centred, percentiles
from nounflow.streams import stream

DRAWS = 1000
BASELINE = "similarity"
Results = list[dict[str, Any]]  # detections in COCO's form


def detect(
    images: Iterable[ImageRegions],
    probes: Mapping[str, Probe],
    truth: TrueBoxes,
    config: FusionConfig,
    temperature: float,
) -> dict[str, Results]:
    """Way -> COCO results; a way whose probe is not there is left out."""
    found: dict[str, Results] = {way: [] for way, one in WAYS.items() if one.probe in probes}
    for image in images:
        seen = {name: evidence(probe, image, config, temperature) for name, probe in probes.items()}
        for way, results in found.items():
            kept = keep(image.boxes, WAYS[way].scores(seen[WAYS[way].probe]), config)
            results += coco_results(image, kept, probes[WAYS[way].probe].names, truth)
    return found


def coco_results(image: ImageRegions, kept: Detections, names: Sequence[str], truth: TrueBoxes) -> Results:
    """Detections of one image in COCO's form; without those of names that the data set lacks."""
    number = dict(zip(truth.names, truth.category_ids, strict=True))
    return [
        {
            "image_id": truth.images[image.file][0],
            "category_id": number[names[name]],
            "bbox": [round(value, 2) for value in xywh(image.boxes[row])],
            "score": round(float(score), 6),
        }
        for row, name, score in zip(kept.rows.tolist(), kept.names.tolist(), kept.scores.tolist(), strict=True)
        if names[name] in number
    ]


class Interval(NamedTuple):
    """A score with its 95 % bootstrap interval over images; None where no image has such boxes."""

    value: float | None
    low: float | None
    high: float | None


class WayScores(NamedTuple):
    """Average precision of one way."""

    ap50: dict[str, Interval]  # novel, base, all
    ap: dict[str, float | None]
    difference: Interval  # of AP50 novel, to the baseline on the same draws
    per_name: dict[str, float]  # AP50


def score_ways(
    truth: TrueBoxes,
    scored: Sequence[str],
    subsets: Mapping[str, Sequence[str]],
    ways: Mapping[str, Results],
    seed: int,
) -> dict[str, WayScores]:
    """AP of each way on the scored images. All ways are resampled on the same draws of images.

    Args:
        subsets: novel, base, all -> names.
    """
    place = {name: i for i, name in enumerate(truth.names)}
    columns = {subset: [place[name] for name in names] for subset, names in subsets.items()}
    rng = stream(seed, "regions", "bootstrap")
    counts = rng.multinomial(len(scored), np.full(len(scored), 1 / len(scored)), size=DRAWS)
    found = {way: evaluate(truth, scored, columns["all"], results) for way, results in ways.items()}
    draws = {way: {s: _draws(one.ranked, names, counts) for s, names in columns.items()} for way, one in found.items()}
    scores = {}
    for way, one in found.items():
        ap50 = {s: _interval(_mean(one.ap50, names), draws[way][s]) for s, names in columns.items()}
        difference = Interval(None, None, None)
        if way != BASELINE and BASELINE in found and ap50["novel"].value is not None:
            gain = ap50["novel"].value - (_mean(found[BASELINE].ap50, columns["novel"]) or 0.0)
            difference = _interval(gain, draws[way]["novel"] - draws[BASELINE]["novel"])
        scores[way] = WayScores(
            ap50,
            {s: _mean(one.ap, names) for s, names in columns.items()},
            difference,
            {truth.names[name]: value for name, value in one.ap50.items()},
        )
    return scores


def _draws(ranked: Mapping[int, Ranked], names: Sequence[int], counts: np.ndarray) -> np.ndarray:
    return resampled_ap50([ranked[name] for name in names if name in ranked], counts)


def _mean(values: Mapping[int, float], names: Sequence[int]) -> float | None:
    found = [values[name] for name in names if name in values]
    return float(np.mean(found)) if found else None


def _interval(value: float | None, draws: np.ndarray) -> Interval:
    return Interval(None, None, None) if value is None else Interval(value, *percentiles(centred(draws, value)))
