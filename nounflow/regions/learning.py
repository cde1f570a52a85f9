"""From images with vectors to a probe: retrieve, sample, fit each name alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from nounflow.config.regions import RegionsConfig
from nounflow.regions.boxes import GEOMETRY, best_overlap, geometry
from nounflow.regions.image_regions import ImageRegions
from nounflow.regions.probe import background_rows, draw_samples, fit_row, probabilities
from nounflow.regions.quality import fit_quality, quality
from nounflow.regions.retrieval import PseudoBox, best_boxes

Images = Callable[[], Iterable[ImageRegions]]  # those to learn from, each time it is called


@dataclass(frozen=True)
class Probe:
    """What boxes are scored with: a row for each name, and what is learnt of boxes at large."""

    names: tuple[str, ...]
    novel: np.ndarray  # bool [names]: learnt from retrieved boxes, not from true ones
    texts: np.ndarray  # unit rows float32 [names, dim]
    weights: np.ndarray  # float32 [names, d]; a row of NaN where nothing was there to learn from
    mean: np.ndarray  # float32 [8], of the geometry of the boxes that were learnt from
    spread: np.ndarray  # float32 [8]
    quality: np.ndarray | None = None  # float32 [d]; see `quality.fit_quality`
    one_scale: bool = False

    @property
    def learnt(self) -> np.ndarray:
        """Which names have a row: bool [names]."""
        return np.asarray(~np.isnan(self.weights).any(axis=1))

    def features(self, image: ImageRegions) -> np.ndarray:
        """What the rows see of an image's boxes, float32 [n, d]: geometry in standard units, then the estimated fit."""
        found = image.features(self.one_scale)
        found[:, -len(GEOMETRY) :] = (found[:, -len(GEOMETRY) :] - self.mean) / self.spread
        return self.with_quality(found)

    def with_quality(self, features: np.ndarray) -> np.ndarray:
        """Features [n, d] with the estimated fit behind them, where one is learnt."""
        if self.quality is None:
            return features
        return np.concatenate([features, quality(features, self.quality)[:, None]], axis=1)

    def probabilities(self, image: ImageRegions) -> np.ndarray:
        """Each name's own yes for an image's boxes, float64 [n, names]; 1 for names that have no row."""
        found = probabilities(self.features(image), np.nan_to_num(self.weights))
        found[:, ~self.learnt] = 1.0
        return found


@dataclass(frozen=True)
class Learnt:
    """A probe, and the boxes that its novel names were learnt from."""

    probe: Probe
    pseudo: Mapping[str, Sequence[PseudoBox]]  # novel name -> boxes, the most like it first


@dataclass(frozen=True)
class _Seen:
    """Boxes of some images, and what a probe sees of them."""

    boxes: dict[str, np.ndarray] = field(default_factory=dict)
    features: dict[str, np.ndarray] = field(default_factory=dict)


def learn_probe(
    images: Images,
    base: Mapping[str, Mapping[str, np.ndarray]],
    novel: Sequence[str],
    texts: np.ndarray,
    settings: RegionsConfig,
    one_scale: bool = False,
) -> Learnt:
    """Learn a row for each name.

    Args:
        base: base name -> file -> its true boxes [n, 4].
        texts: unit rows [base + novel, dim].
    """
    mean, spread = _standard_units(images())
    own = texts[: len(base)].astype(np.float32)
    probe = Probe(tuple(base), np.zeros(len(base), dtype=bool), own, np.zeros(0), mean, spread, one_scale=one_scale)
    seen = _Seen()
    for image in images():
        if any(image.file in files for files in base.values()):
            seen.boxes[image.file], seen.features[image.file] = image.boxes, probe.features(image)
    if settings.probe.quality and base:
        every = {file: np.concatenate([files[file] for files in base.values() if file in files]) for file in seen.boxes}
        probe = replace(probe, quality=fit_quality(seen.boxes, seen.features, every))
        seen = _Seen(seen.boxes, {file: probe.with_quality(found) for file, found in seen.features.items()})
    width = texts.shape[1] * (1 if one_scale else 3) + len(GEOMETRY) + (probe.quality is not None)
    beside = _background(probe, images(), settings)
    rows = [
        _row(seen, {f: aims for f, aims in files.items() if f in seen.boxes}, beside, settings, name, width)
        for name, files in base.items()
    ]
    probe = replace(probe, weights=np.array(rows, dtype=np.float32).reshape(-1, width))
    return _with_names(probe, images(), novel, texts[len(base) :], beside, settings)


def add_names(probe: Probe, images: Images, novel: Sequence[str], texts: np.ndarray, settings: RegionsConfig) -> Learnt:
    """The same probe with further names, whose unit rows are `texts`; the rows that it has are not touched."""
    return _with_names(probe, images(), novel, texts, _background(probe, images(), settings), settings)


def _background(probe: Probe, images: Iterable[ImageRegions], settings: RegionsConfig) -> _Seen:
    """Boxes of all images, the same for every name."""
    seen = _Seen()
    if settings.probe.background:
        there = list(images)
        each = -(-settings.probe.background // max(1, len(there)))
        for image in there:
            rows = background_rows(len(image.boxes), each, settings.seed, image.file)
            seen.boxes[image.file], seen.features[image.file] = image.boxes[rows], probe.features(image)[rows]
    return seen


def _with_names(
    probe: Probe, images: Iterable[ImageRegions], names: Sequence[str], texts: np.ndarray, beside: _Seen,
    settings: RegionsConfig,
) -> Learnt:  # fmt: skip
    best = best_boxes(images, texts, settings.settled_retrieval())
    pseudo, rows = dict(zip(names, best, strict=True)), [probe.weights]
    held = {box.image.file: box.image for boxes in pseudo.values() for box in boxes}
    seen = _Seen(
        {file: image.boxes for file, image in held.items()},
        {file: probe.features(image) for file, image in held.items()},
    )
    for name, boxes in pseudo.items():
        targets: dict[str, list[int]] = {}
        for box in boxes:
            targets.setdefault(box.image.file, []).append(box.row)
        aims = {file: seen.boxes[file][taken] for file, taken in sorted(targets.items())}
        rows.append(_row(seen, aims, beside, settings, name, probe.weights.shape[1])[None])
    grown = replace(
        probe,
        names=(*probe.names, *names),
        novel=np.concatenate([probe.novel, np.ones(len(names), dtype=bool)]),
        texts=np.concatenate([probe.texts, texts.astype(np.float32)]),
        weights=np.concatenate(rows),
    )
    return Learnt(grown, pseudo)


def _row(
    seen: _Seen, targets: Mapping[str, np.ndarray], beside: _Seen, settings: RegionsConfig, name: str, width: int
) -> np.ndarray:
    """A name's weights; NaN where no box fits."""
    samples = draw_samples(seen.boxes, targets, settings.probe, settings.seed, name)
    if not samples:
        return np.full(width, np.nan, dtype=np.float32)
    fits = settings.probe.positive_iou
    inputs = [seen.features[file][rows] for file, (rows, _) in samples.items()]
    inputs += [
        found if file not in targets else found[best_overlap(beside.boxes[file], targets[file]) < fits]
        for file, found in beside.features.items()
    ]
    wanted = np.concatenate([positive for _, positive in samples.values()])
    features = np.concatenate(inputs)
    return fit_row(features, np.pad(wanted.astype(np.float32), (0, len(features) - len(wanted))), settings.probe)


def _standard_units(images: Iterable[ImageRegions]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of the geometry of all boxes, float32 [8] each."""
    total, squares, count = np.zeros(len(GEOMETRY)), np.zeros(len(GEOMETRY)), 0
    for image in images:
        part = geometry(image.boxes, image.objectness, image.width, image.height).astype(np.float64)
        total, squares, count = total + part.sum(0), squares + (part**2).sum(0), count + len(part)
    mean = total / max(1, count)
    spread = np.sqrt(np.maximum(squares / max(1, count) - mean**2, 1e-6))
    return mean.astype(np.float32), spread.astype(np.float32)
