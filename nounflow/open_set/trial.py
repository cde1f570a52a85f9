"""One test of the open set: images, what is known of them, and the scores of each draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nounflow.config.open_set import NegativesConfig, OpenSetConfig
from nounflow.errors import NounflowError
from nounflow.open_set.bank import NounBank, check_classes
from nounflow.open_set.draws import Draw
from nounflow.open_set.evaluation import Scored
from nounflow.open_set.negatives import choose_negatives, no_kinds
from nounflow.open_set.reference import Reference
from nounflow.streams import stream
from nounflow.text import canon


@dataclass(frozen=True)
class LabelledImages:
    """Images that are scored together, synthetic patterns last."""

    files: Sequence[str]
    gold: Sequence[str]
    accepted: Sequence[frozenset[str]]  # normal spellings that are right, gold's own among them
    vectors: np.ndarray  # float32 [images, dim], unit rows
    pictured: np.ndarray  # bool: a class of ImageNet-1k
    pattern: np.ndarray  # bool: synthetic

    def take(self, rows: Sequence[int]) -> LabelledImages:
        """Some of them."""
        files, gold, accepted = zip(*((self.files[i], self.gold[i], self.accepted[i]) for i in rows), strict=True)
        return LabelledImages(files, gold, accepted, self.vectors[rows], self.pictured[rows], self.pattern[rows])


def reference(
    bank: NounBank,
    known: np.ndarray,
    temperature: float,
    settings: NegativesConfig,
    seed: int,
    no: np.ndarray | None = None,
) -> tuple[Reference, np.ndarray]:
    """What images are held against, where nouns of the bank are known; and the rows of the negatives.

    Args:
        known: rows of the bank.
        no: no-embeddings of all nouns of the bank.
    """
    names = [bank.manifest.nouns[row] for row in known.tolist()]
    found, rows = list_reference(bank, names, bank.vectors[known], temperature, settings, seed)
    return (found if no is None else replace(found, no=no[known])), rows


def list_reference(
    bank: NounBank, names: Sequence[str], vectors: np.ndarray, temperature: float, settings: NegativesConfig, seed: int
) -> tuple[Reference, np.ndarray]:
    """The same of any names with their unit vectors, float32 [names, dim]; those that the bank lacks have no kinds."""
    manifest = bank.manifest
    spellings = set(map(canon, names))
    allowed = np.array([canon(noun) not in spellings for noun in manifest.nouns[: manifest.candidates]])
    rows = choose_negatives(bank.vectors[: manifest.candidates], vectors, allowed, settings, seed)
    own = {above[0] for name in spellings & bank.row_of.keys() if (above := manifest.above[bank.row_of[name]])}
    kept = no_kinds([manifest.above[row] for row in rows], [manifest.names[row] for row in rows], own)
    return Reference(vectors, temperature, bank.vectors[rows] if len(rows) else None, settings.groups, kept), rows


def listed(
    bank: NounBank,
    images: LabelledImages,
    draw: Draw,
    methods: Sequence[str],
    temperature: float,
    config: OpenSetConfig,
    seed: int,
    no: Mapping[str, np.ndarray],
) -> Scored:
    """Scores of a draw with its class list; those of a no-model are called METHOD:NO_MODEL.

    Raises:
        NounflowError: the class list is of no use.
    """
    rows = bank.rows(draw.classes)
    check_classes(draw.classes, bank.vectors[rows])
    held, _ = reference(bank, rows, temperature, config.negatives, seed)
    scores = _all_scores(held, images.vectors, methods, None, {name: found[rows] for name, found in no.items()})
    called = [draw.classes[i] for i in (images.vectors @ held.known.T).argmax(axis=1).tolist()]
    right = np.array([canon(name) in names for name, names in zip(called, images.accepted, strict=True)])
    extra = np.zeros(int(images.pattern.sum()), dtype=bool)  # a draw is of photographs
    kinds = {kind: np.concatenate([photos, extra]) for kind, photos in draw.unknown.items()}
    unknown = np.logical_or.reduce(list(kinds.values()))
    kinds |= {
        "all": unknown,
        "ImageNet": unknown & images.pictured,
        "not ImageNet": unknown & ~images.pictured,
        "farthest": kinds.get("farthest", images.pattern) | images.pattern,
    }
    known = np.concatenate([draw.known, extra])
    return Scored(scores, known, kinds, right, images.files, images.gold, called)


def free(
    bank: NounBank,
    images: LabelledImages,
    answers: Sequence[Sequence[str]],
    probability: np.ndarray,
    right: np.ndarray,
    nouns: Sequence[str],
    methods: Sequence[str],
    temperature: float,
    config: OpenSetConfig,
    no: Mapping[str, np.ndarray],
) -> Scored:
    """Scores of a run's own answers without a list: its nouns of each image, then background nouns.

    Args:
        answers: nouns of each image, best first.
        probability: float64 [images], of the first noun.
        right: bool [images].
        nouns: the run's lexicon.
    """
    rows = bank.rows(nouns)
    held, _ = reference(bank, rows, temperature, config.negatives, config.seed)
    candidates = candidate_rows(nouns, answers, background_rows(len(nouns), config))
    no = {name: found[rows] for name, found in no.items()}
    scores = {"probability": probability, **_all_scores(held, images.vectors, methods, candidates, no)}
    kinds = {"wrong": ~right & ~images.pattern, "farthest": images.pattern}
    called = [row[0] if row else "" for row in answers]
    return Scored(scores, right, kinds, right, images.files, images.gold, called)


def background_rows(nouns: int, config: OpenSetConfig) -> np.ndarray:
    """Nouns of a run's lexicon that stand beside its answers, int64: without others, an answer agrees with itself."""
    rng = stream(config.seed, "open set", "background")
    return np.sort(rng.permutation(nouns)[: config.background]).astype(np.int64)


def candidate_rows(nouns: Sequence[str], answers: Sequence[Sequence[str]], background: np.ndarray) -> np.ndarray:
    """Of each image the rows of its answers and of the background in `nouns`, int64 [images, c]; each row once.

    -1 fills up where an image has fewer answers than others, and stands for what is an answer and background, too.

    Raises:
        NounflowError: an answer is none of the nouns.
    """
    row_of = {canon(noun): row for row, noun in enumerate(nouns)}
    width = max([1, *map(len, answers)])
    found = np.full((len(answers), width + len(background)), -1, dtype=np.int64)
    for place, row in enumerate(answers):
        if unknown := [noun for noun in row if canon(noun) not in row_of]:
            raise NounflowError(
                f"An answer is none of the run's nouns: {unknown[0]}",
                fix="a gate without a list needs answers from the lexicon: decode guided by it",
            )
        rows = list(dict.fromkeys(row_of[canon(noun)] for noun in row))
        found[place, : len(rows)] = rows
        found[place, width:] = np.where(np.isin(background, rows), -1, background)
    found[(found < 0).all(axis=1), 0] = 0  # neither answer nor background: something to compute a score from
    return found


def _all_scores(
    held: Reference,
    vectors: np.ndarray,
    methods: Sequence[str],
    candidates: np.ndarray | None,
    no: Mapping[str, np.ndarray],
) -> dict[str, np.ndarray]:
    scores = held.scores(vectors, [method for method in methods if held.can(method)], candidates)
    for name, embeddings in no.items():
        yes_no = Reference(held.known, held.temperature, no=embeddings)
        wanted = [method for method in methods if yes_no.can(method) and not held.can(method)]
        found = yes_no.scores(vectors, wanted, candidates)
        scores |= {f"{method}:{name}": values for method, values in found.items()}
    return scores
