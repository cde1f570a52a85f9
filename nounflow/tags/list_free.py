"""Several nouns without a list: what the views of an image are named, merged, scored again and cut."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nounflow.open_set.gate import TOP_K, Gate, believed
from nounflow.predictors.protocol import Predictor
from nounflow.tags.scores import dual_stream

_SURE = 0.1  # weight of the log-probability of a noun against its cosines: chosen on the split val of `scenes`


@dataclass(frozen=True)
class Tag:
    """A noun of an image, and the box whose view said it with the highest probability."""

    noun: str
    score: float
    probability: float  # of the view that is named
    box: int  # 0: the whole image, else 1 + the number of the local view


def candidates(
    predictor: Predictor, whole: np.ndarray, local: np.ndarray, nouns: int, same: Mapping[str, str] | None = None,
    gate: Gate | None = None,
) -> list[list[Tag]]:  # fmt: skip
    """The nouns that an image and its local views are named, each meaning once; their scores are still 0.

    Args:
        whole, local: unit vectors [n, dim] and [n, units, dim].
        nouns: that each view puts forward.
        same: noun -> what it means; of nouns that mean the same the most probable one stays.
        gate: views whose answers it does not believe put nothing forward; None: all do.
    """
    n, units, dim = local.shape
    views = np.concatenate([whole[:, None], local], axis=1).reshape(-1, dim)
    answers = predictor.answer(views, max(nouns, min(TOP_K, predictor.width)) if gate else nouns)
    believes = believed(gate, views, answers.texts)
    found: list[list[Tag]] = []
    for image in range(n):
        by_meaning: dict[str, Tag] = {}
        for unit in range(units + 1):
            row = image * (units + 1) + unit
            told = nouns if believes[row] else 0
            for noun, probability in zip(answers.texts[row][:told], answers.probabilities[row].tolist(), strict=False):
                meaning = (same or {}).get(noun, noun)
                if noun and (meaning not in by_meaning or probability > by_meaning[meaning].probability):
                    by_meaning[meaning] = Tag(noun, 0.0, probability, unit)
        found.append(list(by_meaning.values()))
    return found


def ranked(
    tags: Sequence[Sequence[Tag]], whole: np.ndarray, local: np.ndarray, best: int,
    vectors_of: Callable[[list[str]], np.ndarray],
) -> list[list[Tag]]:  # fmt: skip
    """The same nouns with their scores, best first: dual stream, and a tenth of the log-probability.

    Args:
        vectors_of: nouns -> unit vectors of their texts [nouns, dim].
    """
    nouns = sorted({tag.noun for row in tags for tag in row})
    if not nouns:
        return [[] for _ in tags]
    vectors = vectors_of(nouns)
    place = {noun: i for i, noun in enumerate(nouns)}
    found = []
    for image, row in enumerate(tags):
        own = vectors[np.array([place[tag.noun] for tag in row], dtype=np.int64)]
        cosines = dual_stream(whole[image][None] @ own.T, local[image][None] @ own.T, best, "none")[0]
        scores = cosines + _SURE * np.log([tag.probability + 1e-9 for tag in row])
        again = [replace(tag, score=float(score)) for tag, score in zip(row, scores, strict=True)]
        found.append(sorted(again, key=lambda tag: (-tag.score, tag.noun)))
    return found


def cut(tags: Sequence[Sequence[Tag]], threshold: float, most: int | None = None) -> list[list[Tag]]:
    """Those that score at least the threshold; the best one stays if none does, so that no image is without a name."""
    return [[tag for i, tag in enumerate(row) if i == 0 or tag.score >= threshold][:most] for row in tags]
