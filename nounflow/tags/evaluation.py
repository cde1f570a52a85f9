"""The table of tags: every way to several nouns on one set, with a list and without, with intervals over images."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nounflow.schemas.tag_labels import TagLabels
from nounflow.schemas.tags import BASELINE
from nounflow.scoring.intervals import percentiles
from nounflow.tags import scores as s
from nounflow.tags.adapter import Learnt
from nounflow.tags.list_free import Tag, cut
from nounflow.tags.measures import LabelMeans, SetCounts, best_threshold, chosen, samples

SOFTMAX = "local_softmax"
PROTOCOLS = ("all labels", "unseen labels")  # GZSL and ZSL
KS = (3, 5)

Score = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Rows of images [n] and columns of labels [k] -> scores [n, k]."""


@dataclass(frozen=True)
class Images:
    """A set as an embedder sees it; vectors are unit, and run parallel to the truth's files and labels."""

    truth: TagLabels
    whole: np.ndarray  # [files, dim]
    local: np.ndarray  # [files, units, dim]
    labels: np.ndarray  # [labels, dim]

    def moved(self, adapter: Learnt) -> "Images":
        """The same through an adapter."""
        labels = adapter.moved_labels(self.truth.labels, self.labels)
        return Images(self.truth, adapter.moved(self.whole), adapter.moved(self.local), labels)


@dataclass
class Row:
    """One row of results/tags.tsv."""

    method: str
    needs: str  # what was given beside the frozen embedder
    protocol: str
    images: int
    labels: int
    figures: dict[str, Any] = field(default_factory=dict)
    each: dict[str, float] = field(default_factory=dict)  # label -> its average precision

    def add(self, name: str, value: float, draws: np.ndarray | None = None) -> None:
        """A figure in percent, and its interval."""
        self.figures[name] = round(100 * float(value), 2)
        if draws is not None:
            low, high = percentiles(draws)
            self.figures |= {f"{name}_low": round(100 * low, 2), f"{name}_high": round(100 * high, 2)}


def ways(images: Images, best: int, temperature: float, penalty: float, concepts: np.ndarray) -> dict[str, Score]:
    """The scores that need nothing but the frozen embedder, by name.

    Args:
        concepts: unit vectors of the lexicon's nouns [nouns, dim]: what SpLiCE's labels compete with.
    """
    cosines = images.whole @ images.labels.T  # [files, labels]

    def local(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        return np.asarray(images.local[rows] @ images.labels[columns].T)

    def whole(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        return np.asarray(cosines[np.ix_(rows, columns)])

    def dual(norm: s.Norm) -> Score:
        return lambda rows, columns: s.dual_stream(whole(rows, columns), local(rows, columns), best, norm)

    def sparse(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        dictionary = np.concatenate([images.labels[columns], concepts])
        views = np.concatenate([images.whole[rows][:, None], images.local[rows]], axis=1)
        centre = images.whole.mean(axis=0)
        weights = [s.splice(views[:, i], dictionary, penalty, centre)[:, : len(columns)] for i in range(views.shape[1])]
        return np.asarray(s.dual_stream(weights[0], np.stack(weights[1:], axis=1), best, "none"))

    return {
        BASELINE: dual("none"),
        "zero_shot_l2": dual("label_l2"),
        "whole_only": whole,
        SOFTMAX: lambda rows, columns: s.local_softmax(whole(rows, columns), local(rows, columns), temperature),
        "sparc": lambda rows, columns: s.sparc(dual("none")(rows, columns), images.labels[columns]),
        "splice": sparse,
    }


def table(truth: TagLabels, methods: dict[str, tuple[str, Score]], seed: int) -> list[Row]:
    """A row for each method and protocol; differences are those to `zero_shot` on the same bootstrap samples.

    Args:
        methods: name -> what it needs, its score; `zero_shot` among them, first.
    """
    test, val = truth.rows("test"), truth.rows("val")
    draws = samples(len(test), seed)
    found: list[Row] = []
    for protocol in PROTOCOLS:
        columns = np.arange(len(truth.labels)) if protocol == PROTOCOLS[0] else truth.columns(seen=False)
        if not len(columns) or (protocol == PROTOCOLS[1] and not truth.seen):
            continue
        right = truth.values[np.ix_(test, columns)]
        base, plain = dict[str, np.ndarray](), None
        for method, (needs, score) in methods.items():
            scores = score(test, columns)
            row = Row(method, needs, protocol, len(test), len(columns))
            means = LabelMeans.of(scores, right, draws)
            row.each = {truth.labels[c]: float(means.each[i]) for i, c in enumerate(columns) if means.positive[i]}
            row.add("map_all", means.of_all)
            row.add("map", means.of_positive, means.draws)
            drawn = {"map": means.draws}
            for k in KS:
                drawn[f"f1_{k}"] = _sets(row, f"_{k}", SetCounts.of(chosen(scores, k), right), draws)
            if len(val):
                threshold = round(best_threshold(score(val, columns), truth.values[np.ix_(val, columns)]), 6)
                row.figures["threshold"] = threshold  # who takes it from the file gets the figures below
                drawn["f1_cut"] = _sets(row, "_cut", SetCounts.of(scores > threshold, right), draws)
            found.append(row)
            if plain is None:
                plain, base = row, drawn
                continue
            for name in drawn:
                row.add(f"{name}_minus", (row.figures[name] - plain.figures[name]) / 100, drawn[name] - base[name])
    return found


def _sets(row: Row, suffix: str, counts: SetCounts, draws: np.ndarray) -> np.ndarray:
    """Add precision, recall and F1; gives back F1's draws."""
    precision, recall, f1 = counts.figures()[0]
    row.add(f"p{suffix}", precision)
    row.add(f"r{suffix}", recall)
    drawn = counts.figures(draws)[:, 2]
    row.add(f"f1{suffix}", f1, drawn)
    return drawn


def free_row(
    truth: TagLabels, method: str, tags: Sequence[Sequence[Tag]], columns: Callable[[str], list[int]],
    baseline: Row, baseline_scores: np.ndarray, seed: int,
) -> Row:  # fmt: skip
    """A row of nouns without a list, for the split test; a noun that means no label is wrong, one that says again
    what another one says counts once.

    Args:
        tags: of the files of `truth`, best first.
        columns: a noun -> the labels that it means.
        baseline, baseline_scores: the row of `zero_shot` on all labels, and its scores of the split test.
    """
    test, val = truth.rows("test"), truth.rows("val")
    draws = samples(len(test), seed)
    row = Row(method, "no list", PROTOCOLS[0], len(test), len(truth.labels))

    def counted(rows: np.ndarray, kept: Sequence[Sequence[Tag]]) -> SetCounts:
        given, further = np.zeros((len(rows), len(truth.labels)), dtype=bool), np.zeros(len(rows), dtype=np.int64)
        for place, image in enumerate(rows):
            for tag in kept[image]:
                if means := columns(tag.noun):
                    given[place, means] = True
                else:
                    further[place] += 1
        return SetCounts.of(given, truth.values[rows], further)

    for k in KS:
        drawn = _sets(row, f"_{k}", counted(test, [each[:k] for each in tags]), draws)
        right = truth.values[test]
        base = SetCounts.of(chosen(baseline_scores, k), right).figures(draws)[:, 2]
        row.add(f"f1_{k}_minus", (row.figures[f"f1_{k}"] - baseline.figures[f"f1_{k}"]) / 100, drawn - base)
    if len(val):
        row.figures["threshold"] = threshold = round(free_threshold(tags, val, counted), 6)
        _sets(row, "_cut", counted(test, cut(tags, threshold)), draws)
    return row


def free_threshold(
    tags: Sequence[Sequence[Tag]], rows: np.ndarray, counted: Callable[[np.ndarray, Sequence[Sequence[Tag]]], SetCounts]
) -> float:
    """The threshold under which F1 of some images is largest."""
    every = np.array([tag.score for image in rows for tag in tags[image]] or [0.0])
    tried = np.unique(np.quantile(every, np.linspace(0, 1, 60)))
    f1 = [counted(rows, cut(tags, threshold)).figures()[0, 2] for threshold in tried]
    return float(tried[int(np.argmax(f1))])
