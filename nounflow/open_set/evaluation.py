"""Scores compared: known images against unknown ones, and right answers against wrong ones, with intervals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nounflow.open_set.measures import measure, points_at
from nounflow.schemas.open_set import Fooled, Histogram, Measured, OpenSetRow
from nounflow.streams import stream

BOOTSTRAP = 1000
_COVERAGES = np.linspace(0.02, 1.0, 50)
_KEPT = 39  # 0.8 of the images: where the score of what is kept is given
_BINS = 24
_FOOLED = 4  # images of each score
_SHOWN = ("near", "far", "farthest", "wrong")  # kinds in histograms
_TAILS = (0.025, 0.975)
_BASES = ("probability", "mcm")  # the first that is there is what AUROCs are compared with, pair by pair


@dataclass(frozen=True)
class Scored:
    """Images of one draw with their scores; arrays run parallel to the images."""

    scores: Mapping[str, np.ndarray]  # by method
    known: np.ndarray  # bool
    unknown: Mapping[str, np.ndarray]  # kind -> bool; images that are neither known nor of any kind take no part
    right: np.ndarray  # bool: known and called by its name
    files: Sequence[str]
    gold: Sequence[str]
    called: Sequence[str]


@dataclass(frozen=True)
class Compared:
    """What one comparison is of."""

    test: str
    run: str
    embedder: str
    draws: Sequence[Scored]
    seed: int
    points: np.ndarray | None = None  # float64 [images]: of a run's answers

    def weights(self) -> np.ndarray:
        """The images themselves, then bootstrap draws of them: [1 + BOOTSTRAP, images]."""
        images = len(self.draws[0].known)
        rng = stream(self.seed, "open set", "bootstrap", self.test)
        drawn = rng.multinomial(images, np.full(images, 1 / images), size=BOOTSTRAP)
        return np.concatenate([np.ones((1, images)), drawn])

    def rows(self) -> Iterator[OpenSetRow]:
        """A row for each score and kind of unknown images."""
        weights, first = self.weights(), self.draws[0]
        for kind in first.unknown:
            draws = [draw for draw in self.draws if draw.known.any() and draw.unknown[kind].any()]
            if not draws:
                continue
            found = {method: [_measures(draw, method, kind, weights) for draw in draws] for method in first.scores}
            base = next((name for name in _BASES if name in found), None)
            for method, parts in found.items():
                measures = {name: _measured([part[name] for part in parts]) for name in parts[0]}
                if base and method != base:
                    pairs = zip(parts, found[base], strict=True)
                    measures["auroc_gain"] = _measured([one["auroc"] - other["auroc"] for one, other in pairs])
                yield OpenSetRow(
                    test=self.test,
                    run=self.run,
                    embedder=self.embedder,
                    method=method,
                    unknown=kind,
                    known_images=float(np.mean([draw.known.sum() for draw in draws])),
                    unknown_images=float(np.mean([draw.unknown[kind].sum() for draw in draws])),
                    draws=len(draws),
                    measures=measures,
                )

    def kept(self, plain: np.ndarray | None) -> Iterator[tuple[str, dict[str, Measured]]]:
        """For each score, what the 80 % of a run's answers earn that it is surest of, and its risk over all shares.

        Args:
            plain: the same of the best plain probability, by weighting, as `plain_points` gives it.
        """
        for method in self.draws[0].scores:
            earned = self._earned(method)
            kept, risk = earned[:, _KEPT], 1 - earned.mean(axis=1)
            found = {"score_kept": _measured([kept]), "risk_area": _measured([risk])}
            if plain is not None:
                found["score_kept_gain"] = _measured([kept - plain])
            yield method, found

    def plain_points(self) -> np.ndarray:
        """What the answers earn that the run's own probability keeps, under each weighting."""
        return self._earned("probability")[:, _KEPT]

    def _earned(self, method: str) -> np.ndarray:
        """Mean points of the surest answers, patterns apart: [1 + BOOTSTRAP, coverages]."""
        assert self.points is not None
        draw = self.draws[0]
        photos = ~draw.unknown["farthest"]
        return points_at(draw.scores[method][photos], self.points[photos], _COVERAGES, self.weights()[:, photos])

    def histograms(self) -> Iterator[Histogram]:
        """How the first draw's images score."""
        draw = self.draws[0]
        groups = {"known": draw.known} | {kind: draw.unknown[kind] for kind in _SHOWN if kind in draw.unknown}
        for method, scores in draw.scores.items():
            edges = np.histogram_bin_edges(scores, _BINS)
            counts = {kind: tuple(np.histogram(scores[held], edges)[0].tolist()) for kind, held in groups.items()}
            yield Histogram(test=self.test, run=self.run, method=method, edges=tuple(edges.tolist()), counts=counts)

    def fooled(self) -> Iterator[Fooled]:
        """The unknown images of the first draw that scored highest."""
        draw = self.draws[0]
        if not draw.known.any():  # then nothing is above or below what is known
            return
        unknown = np.flatnonzero(np.logical_or.reduce(list(draw.unknown.values())))
        for method, scores in draw.scores.items():
            for row in unknown[np.argsort(-scores[unknown], kind="stable")][:_FOOLED].tolist():
                yield Fooled(
                    test=self.test,
                    run=self.run,
                    method=method,
                    file=draw.files[row],
                    gold=draw.gold[row],
                    called=draw.called[row],
                    above=float((scores[draw.known] < scores[row]).mean()),
                )


def _measures(draw: Scored, method: str, kind: str, weights: np.ndarray) -> dict[str, np.ndarray]:
    held = draw.known | draw.unknown[kind]
    return measure(draw.scores[method][held], draw.known[held], draw.right[held], weights[:, held])


def _measured(draws: Sequence[np.ndarray]) -> Measured:
    """Of each draw the value and its bootstrap: [1 + BOOTSTRAP]."""
    values = np.stack(draws)
    values = values[:, ~np.isnan(values).all(axis=0)]  # weightings that left one side without an image
    means = np.nanmean(values, axis=0)
    low, high = np.nanquantile(means[1:], _TAILS)
    return Measured(value=float(means[0]), low=float(low), high=float(high), spread=float(values[:, 0].std()))
