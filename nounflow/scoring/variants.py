"""Scores that look behind the spelling: by synonyms, by kind and by frequency."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nounflow.schemas.labels import Labels
from nounflow.scoring.answers import CODES, NOTHING, JudgedAnswers
from nounflow.scoring.evaluation import Evaluation
from nounflow.scoring.values import MeanScore, Values, mean_score, prediction_values

THE_PER_MILLION = 53_700.0  # how often "the" stands in a million words (wordfreq); frequencies are relative to it
_BANDS = ((10.0, "10 and more"), (1.0, "1 to 10"), (0.1, "0.1 to 1"), (0.0, "under 0.1"))  # times in a million words
_NO_BAND = "in no lexicon"


@dataclass(frozen=True)
class Part:
    """Images of one kind or frequency."""

    name: str
    n: int
    coverage: float  # share whose first noun is judged
    prediction_score: MeanScore


def with_synonyms(evaluation: Evaluation, run: str) -> JudgedAnswers:
    """First nouns [images, 1], each with the best judgement of any noun of its image that names the same thing.

    The image's label and its accepted nouns count as judged correct_primary, its secondary ones correct_secondary.
    """
    judged = evaluation.judged[run]
    codes = judged.codes[:, :1].copy()
    for row, (image, noun) in enumerate(zip(judged.images, judged.first_nouns, strict=True)):
        if codes[row, 0] in (NOTHING, CODES["correct_primary"]):
            continue
        known = _known(evaluation.table.get(image, {}), evaluation.labels.get(image))
        found = (CODES[category] for other, category in known if evaluation.wordnet.same(noun, other))
        codes[row, 0] = min([codes[row, 0], *found])
    return replace(judged, codes=codes)


def band(frequency: float | None) -> str:
    """How common a noun is; `frequency` is relative to "the", None for a noun of no lexicon."""
    if frequency is None:
        return _NO_BAND
    return next(name for least, name in _BANDS if frequency * THE_PER_MILLION >= least)


def band_order(name: str) -> int:
    """Place of a band, the commonest first."""
    return [*(name for _, name in _BANDS), _NO_BAND].index(name)


def parts(evaluation: Evaluation, run: str, by: str, groups: Sequence[str]) -> tuple[Part, ...]:
    """A run's prediction score on each group of images, the largest group first.

    Args:
        by: what groups them; names the random numbers of intervals.
        groups: of each image; images of the group "" are left out.
    """
    judged, names = evaluation.judged[run], np.asarray(groups, dtype=object)
    values, found = prediction_values(judged), []
    for name in sorted(set(groups) - {""}):
        held = names == name
        answered, known = judged.answered & held, judged.first_judged & held
        score = mean_score(Values(values.worst[held], values.best[held]), evaluation.stream(by, run, name))
        found.append(Part(name, int(held.sum()), float(known.sum() / max(1, answered.sum())), score))
    return tuple(sorted(found, key=lambda part: -part.n))


def _known(judged: Mapping[str, str], labels: Labels | None) -> Iterable[tuple[str, str]]:
    yield from judged.items()
    if labels:
        yield from ((noun, "correct_primary") for noun in (labels.gold, *labels.accepted))
        yield from ((noun, "correct_secondary") for noun in labels.secondary)
