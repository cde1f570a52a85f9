"""From images with vectors to a probe: retrieve, sample, fit each name alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nounflow.config.regions import ProbeConfig, RetrievalConfig
from nounflow.regions.boxes import GEOMETRY, best_overlap
from nounflow.regions.image_regions import ImageRegions, unit
from nounflow.regions.probe import fit_row, probabilities
from nounflow.regions.quality import fit_quality, quality
from nounflow.regions.retrieval import BestBoxes, PseudoBox
from nounflow.regions.samples import background_rows, draw_samples, gather


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
        if self.quality is None:
            return found
        return np.concatenate([found, quality(found, self.quality)[:, None]], axis=1)

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


def learn_probe(
    images: Callable[[], Iterable[ImageRegions]],
    base: Mapping[str, Mapping[str, np.ndarray]],
    novel: Sequence[str],
    texts: np.ndarray,
    retrieval: RetrievalConfig,
    settings: ProbeConfig,
    min_objectness: float,
    seed: int,
    one_scale: bool = False,
) -> Learnt:
    """Learn a row for each name.

    Args:
        images: gives the images to learn from, each time it is called.
        base: base name -> file -> its true boxes [n, 4].
        texts: unit rows [base + novel, dim].
    """
    names = (*base, *novel)
    mean, spread = _standard_units(images())
    probe = Probe(
        names, np.arange(len(names)) >= len(base), texts.astype(np.float32), np.zeros((0, 0)), mean, spread,
        one_scale=one_scale,
    )  # fmt: skip
    boxes, features = dict[str, np.ndarray](), dict[str, np.ndarray]()
    for image in images():
        if any(image.file in files for files in base.values()):
            boxes[image.file], features[image.file] = image.boxes, probe.features(image)
    if settings.quality and base:
        every = {file: np.concatenate([files[file] for files in base.values() if file in files]) for file in boxes}
        probe = replace(probe, quality=fit_quality(boxes, features, every))
    width = probe.features(next(iter(images()))).shape[1]
    if probe.quality is not None:
        features = {file: _with_quality(found, probe.quality) for file, found in features.items()}
    beside = _background(probe, images(), settings, seed)
    rows = [
        _row(boxes, features, {f: aims for f, aims in files.items() if f in boxes}, beside, settings, seed, name, width)
        for name, files in base.items()
    ]
    found = _retrieve(images(), texts[len(base) :], retrieval, min_objectness)
    rows += _novel_rows(probe, found, novel, beside, settings, seed, width)
    weights = np.stack(rows) if rows else np.zeros((0, width), dtype=np.float32)
    return Learnt(replace(probe, weights=weights), dict(zip(novel, found.found(), strict=True)))


def add_names(
    probe: Probe,
    images: Sequence[ImageRegions],
    novel: Sequence[str],
    texts: np.ndarray,
    retrieval: RetrievalConfig,
    settings: ProbeConfig,
    min_objectness: float,
    seed: int,
) -> Learnt:
    """The same probe with further names; the rows that it has are not touched."""
    found = _retrieve(images, texts, retrieval, min_objectness)
    beside = _background(probe, images, settings, seed)
    rows = _novel_rows(probe, found, novel, beside, settings, seed, probe.weights.shape[1])
    grown = replace(
        probe,
        names=(*probe.names, *novel),
        novel=np.concatenate([probe.novel, np.ones(len(novel), dtype=bool)]),
        texts=np.concatenate([probe.texts, texts.astype(np.float32)]),
        weights=np.concatenate([probe.weights, np.stack(rows)]),
    )
    return Learnt(grown, dict(zip(novel, found.found(), strict=True)))


def name_vectors(prompts: Sequence[str], names: Sequence[str], encode: Callable[[list[str]], np.ndarray]) -> np.ndarray:
    """Unit vectors of names, each the mean over prompts such as "a photo of a {}.": float32 [names, dim]."""
    vectors = encode([prompt.format(name) for prompt in prompts for name in names])
    return unit(vectors.reshape(len(prompts), len(names), -1).mean(axis=0))


def _retrieve(
    images: Iterable[ImageRegions], texts: np.ndarray, config: RetrievalConfig, min_objectness: float
) -> BestBoxes:
    best = BestBoxes(texts, config, min_objectness)
    if len(texts):
        for image in images:
            best.offer(image)
    return best


@dataclass(frozen=True)
class _Background:
    """Boxes of all images, the same for every name."""

    boxes: dict[str, np.ndarray]
    features: dict[str, np.ndarray]


def _background(probe: Probe, images: Iterable[ImageRegions], settings: ProbeConfig, seed: int) -> _Background:
    boxes, features = dict[str, np.ndarray](), dict[str, np.ndarray]()
    if settings.background:
        there = list(images)
        each = -(-settings.background // max(1, len(there)))
        for image in there:
            rows = background_rows(len(image.boxes), each, seed, image.file)
            boxes[image.file], features[image.file] = image.boxes[rows], probe.features(image)[rows]
    return _Background(boxes, features)


def _novel_rows(
    probe: Probe,
    best: BestBoxes,
    names: Sequence[str],
    beside: _Background,
    settings: ProbeConfig,
    seed: int,
    width: int,
) -> list[np.ndarray]:
    boxes = {file: image.boxes for file, image in best.images.items()}
    features = {file: probe.features(image) for file, image in best.images.items()}
    rows = []
    for name, pseudo in zip(names, best.found(), strict=True):
        targets: dict[str, list[int]] = {}
        for box in pseudo:
            targets.setdefault(box.file, []).append(box.row)
        aims = {file: boxes[file][taken] for file, taken in sorted(targets.items())}
        rows.append(_row(boxes, features, aims, beside, settings, seed, name, width))
    return rows


def _row(
    boxes: Mapping[str, np.ndarray],
    features: Mapping[str, np.ndarray],
    targets: Mapping[str, np.ndarray],
    beside: _Background,
    settings: ProbeConfig,
    seed: int,
    name: str,
    width: int,
) -> np.ndarray:
    """A name's weights; NaN where no box fits."""
    samples = draw_samples(boxes, targets, settings, seed, name)
    if not samples.positives:
        return np.full(width, np.nan, dtype=np.float32)
    inputs, wanted = gather(samples, features)
    others = [
        found if file not in targets else found[best_overlap(beside.boxes[file], targets[file]) < settings.positive_iou]
        for file, found in beside.features.items()
    ]
    inputs = np.concatenate([inputs, *others])
    return fit_row(inputs, np.pad(wanted, (0, len(inputs) - len(wanted))), settings)


def _with_quality(features: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return np.concatenate([features, quality(features, weights)[:, None]], axis=1)


def _standard_units(images: Iterable[ImageRegions]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of the geometry of all boxes, float32 [8] each."""
    total, squares, count = np.zeros(len(GEOMETRY)), np.zeros(len(GEOMETRY)), 0
    for image in images:
        part = image.features(one_scale=True)[:, -len(GEOMETRY) :].astype(np.float64)
        total, squares, count = total + part.sum(0), squares + (part**2).sum(0), count + len(part)
    mean = total / max(1, count)
    spread = np.sqrt(np.maximum(squares / max(1, count) - mean**2, 1e-6))
    return mean.astype(np.float32), spread.astype(np.float32)
