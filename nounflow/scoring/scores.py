"""One row of scores for a run on an image set under an annotator. Pure: documents in, rows out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nounflow.errors import MismatchError, NounflowError
from nounflow.schemas.documents import Annotations, DecodingPredictions, Labels, Predictions, PredictorManifest
from nounflow.scoring.intervals import mean_interval
from nounflow.scoring.points import CORRECT, POINTS, PRIMARY, Judgements, judgements
from nounflow.scoring.table import ScoreRow
from nounflow.streams import stream
from nounflow.text import canon


@dataclass(frozen=True)
class Lexicon:
    """What is needed of a lexicon: its name, its nouns' digest, the normal spelling of all its forms."""

    name: str
    digest: str
    forms: frozenset[str]


@dataclass(frozen=True)
class Run:
    """A trained or indexed predictor and the lexicon it answers from."""

    manifest: PredictorManifest
    lexicon: Lexicon


@dataclass(frozen=True)
class ImageSet:
    """An image set's labels; empty if it has none."""

    name: str
    labels: Mapping[str, Labels]


@dataclass(frozen=True)
class Answers:
    """What a run said about each image, best noun first; nothing where the image could not be read."""

    run: str
    image_set: str
    nouns: dict[str, tuple[str, ...]]
    unreadable: frozenset[str]
    milliseconds: float


def only_decoding(predictions: Predictions) -> DecodingPredictions:
    """The predictions of a file's one decoding configuration.

    Raises:
        NounflowError: there is none, or more than one: a row of scores would be ambiguous.
    """
    if len(predictions.predictions) != 1:
        raise NounflowError(
            f"Run '{predictions.run}' has {len(predictions.predictions)} decoding configurations on "
            f"'{predictions.image_set}', and a row of scores stands for one",
            fix="predict with one `generation` a run, and give each its own entry under `runs`",
        )
    return next(iter(predictions.predictions.values()))


def answers(predictions: Predictions) -> Answers:
    """All images of a predictions file, the unreadable ones with no nouns."""
    decoding = only_decoding(predictions)
    nouns = dict(zip(predictions.samples, decoding.pred, strict=True))
    return Answers(
        run=predictions.run,
        image_set=predictions.image_set,
        nouns=nouns | dict.fromkeys(predictions.unreadable, ()),
        unreadable=frozenset(predictions.unreadable),
        milliseconds=predictions.milliseconds,
    )


def score_table(
    predictions: Sequence[Predictions],
    annotations: Sequence[Annotations],
    runs: Mapping[str, Run],
    image_sets: Mapping[str, ImageSet],
    seed: int = 1,
) -> list[ScoreRow]:
    """A row for each run x image set x annotator, sorted by these names.

    An image set that no annotator judged has one row a run, with an empty annotator.

    Args:
        runs: by name; holds every run that is in `predictions`.
        image_sets: by name; holds every image set that is in `predictions`.
        seed: of the bootstrap draws.

    Raises:
        NounflowError: contradicting judgements, several decoding configurations in a file, or runs that are to be
            compared but were made on different images.
    """
    given = [answers(document) for document in predictions]
    judged: dict[str, list[tuple[str, Judgements]]] = {}
    for document in annotations:
        judged.setdefault(document.image_set, []).append((document.annotator, judgements(document)))
    rows = []
    for answer in given:
        peer = _retrieval_peer(answer, given, runs)
        for annotator, table in judged.get(answer.image_set, [("", {})]):
            judge = _Judge(annotator, table, seed)
            rows.append(_row(answer, peer, runs[answer.run], image_sets[answer.image_set], judge))
    return sorted(rows, key=lambda row: (row.run, row.image_set, row.annotator))


@dataclass(frozen=True)
class _Judge:
    annotator: str
    table: Judgements
    seed: int

    def category(self, image: str, noun: str) -> str | None:
        return self.table.get(image, {}).get(noun)

    def top(self, answer: Answers) -> dict[str, str | None]:
        """Category of each image's first noun; an image without an answer is wrong, whoever judges."""
        return {
            image: self.category(image, nouns[0]) if nouns else "incorrect" for image, nouns in answer.nouns.items()
        }


def _row(answer: Answers, peer: Answers | None, run: Run, image_set: ImageSet, judge: _Judge) -> ScoreRow:
    answered = {image: nouns for image, nouns in answer.nouns.items() if nouns}
    top = judge.top(answer)
    judged = sum(top[image] is not None for image in answered)
    row = ScoreRow(
        run=answer.run,
        predictor=run.manifest.predictor,
        lexicon=run.lexicon.name,
        embedder=run.manifest.embedder.spec,
        image_set=answer.image_set,
        annotator=judge.annotator,
        n=len(answer.nouns),
        coverage=judged / len(answered) if answered else 0.0,
        distinct_nouns=len({nouns[0] for nouns in answered.values()}),
        ceiling=_ceiling(answer, run.lexicon, image_set),
        ms_per_image=answer.milliseconds,
        unreadable=len(answer.unreadable),
        retrieval_run="" if peer is None else peer.run,
    )
    if not judged:
        return row
    return row.model_copy(update=_judged_cells(answer, top, judge) | _difference(answer, peer, top, judge))


def _judged_cells(answer: Answers, top: Mapping[str, str | None], judge: _Judge) -> dict[str, float]:
    n = len(answer.nouns)
    points = [_points(category) for category in top.values()]
    low, high = mean_interval(points, stream(judge.seed, "score", answer.run, answer.image_set, judge.annotator))

    def correct_within(k: int) -> float:
        hits = (
            any(judge.category(image, noun) in CORRECT for noun in nouns[:k]) for image, nouns in answer.nouns.items()
        )
        return sum(hits) / n

    return {
        "prediction_score": sum(points) / n,
        "prediction_score_low": low,
        "prediction_score_high": high,
        "primary_score": sum(_points(category) for category in top.values() if category in PRIMARY) / n,
        "top1_correct": correct_within(1),
        "top5_correct": correct_within(5),
        "score_if_unjudged_right": sum(1.0 if category is None else POINTS[category] for category in top.values()) / n,
    }


def _difference(
    answer: Answers, peer: Answers | None, top: Mapping[str, str | None], judge: _Judge
) -> dict[str, float]:
    """Prediction score minus the retrieval run's on the same images, with its paired interval."""
    if peer is None:
        return {}
    if different := sorted(set(answer.nouns) ^ set(peer.nouns)):
        raise MismatchError(
            f"The runs '{answer.run}' and '{peer.run}' were made on different images of '{answer.image_set}': "
            f"{len(different)} are in one only, the first is '{different[0]}'",
            fix="run the predictions stage again for both",
        )
    peer_top = judge.top(peer)
    differences = [_points(category) - _points(peer_top[image]) for image, category in top.items()]
    low, high = mean_interval(
        differences, stream(judge.seed, "difference", answer.run, peer.run, answer.image_set, judge.annotator)
    )
    return {
        "difference_to_retrieval": sum(differences) / len(differences),
        "difference_low": low,
        "difference_high": high,
    }


def _retrieval_peer(answer: Answers, given: Sequence[Answers], runs: Mapping[str, Run]) -> Answers | None:
    """The retrieval run with this run's lexicon, embedder and image set; of several, the first by name. None for
    retrieval runs themselves."""
    run = runs[answer.run].manifest
    if run.predictor == "retrieval":
        return None
    peers = [
        other
        for other in given
        if other.image_set == answer.image_set
        and (manifest := runs[other.run].manifest).predictor == "retrieval"
        and (manifest.lexicon, manifest.embedder.digest) == (run.lexicon, run.embedder.digest)
    ]
    return min(peers, key=lambda peer: peer.run, default=None)


def _ceiling(answer: Answers, lexicon: Lexicon, image_set: ImageSet) -> float | None:
    """Share of the labelled images whose gold or accepted noun the lexicon can say at all."""
    labels = [image_set.labels[image] for image in answer.nouns if image in image_set.labels]
    if not labels:
        return None
    sayable = sum(any(canon(noun) in lexicon.forms for noun in (label.gold, *label.accepted)) for label in labels)
    return sayable / len(labels)


def _points(category: str | None) -> float:
    return 0.0 if category is None else POINTS[category]
