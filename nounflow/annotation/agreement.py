"""How far annotators agree: Cohen's kappa of two, Krippendorff's alpha of all. The figures come from libraries."""

import itertools
import math
import warnings
from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np

from nounflow.annotation.current_decisions import CurrentDecisions, Pair
from nounflow.annotation.votes import kind_of


class TwoAnnotators(NamedTuple):
    """Agreement of two annotators on the pairs that both judged."""

    first: str
    second: str
    pairs: int
    share: float  # of the pairs: the same of the five categories
    kappa: float | None  # Cohen's, five categories; None where both used one and the same category only
    kappa_coarse: float | None  # correct, close and incorrect


class Agreement(NamedTuple):
    """Agreement of all annotators of a log."""

    pairs: int  # judged by at least two
    alpha: float | None  # Krippendorff's, nominal, five categories; None without any variation
    alpha_coarse: float | None
    twos: tuple[TwoAnnotators, ...]


def shared_judgements(
    current: CurrentDecisions, annotators: Collection[str] = (), images: Collection[str] = ()
) -> dict[Pair, dict[str, str]]:
    """Pair -> annotator -> category, of the pairs that at least two annotators judged.

    Restricted to some annotators and pictures where given. Who contradicts themselves on a pair is left out of it.
    """
    found: dict[Pair, dict[str, str]] = {}
    for pair in sorted(pair for pair in current.pairs(at_least=2) if not images or pair[0] in images):
        row: dict[str, str] = {
            who: said[0].category
            for who, said in current.judgements(pair).items()
            if len(said) == 1 and (not annotators or who in annotators)
        }
        if len(row) > 1:
            found[pair] = row
    return found


def agreement(rows: Sequence[dict[str, str]]) -> Agreement:
    """Agreement over rows {annotator: category} of at least two annotators each."""
    names = sorted({name for row in rows for name in row})
    twos = []
    for first, second in itertools.combinations(names, 2):
        both = [(row[first], row[second]) for row in rows if first in row and second in row]
        if both:
            left, right = zip(*both, strict=True)
            share = sum(a == b for a, b in both) / len(both)
            coarse = cohen_kappa(list(map(kind_of, left)), list(map(kind_of, right)))
            twos.append(TwoAnnotators(first, second, len(both), share, cohen_kappa(left, right), coarse))
    coarse_rows = [{name: kind_of(category) for name, category in row.items()} for row in rows]
    return Agreement(len(rows), krippendorff_alpha(rows), krippendorff_alpha(coarse_rows), tuple(twos))


def cohen_kappa(first: Sequence[str], second: Sequence[str]) -> float | None:
    """Cohen's kappa of two parallel lists; None where chance alone explains all (one category, or no pair)."""
    from sklearn.metrics import cohen_kappa_score

    if not first:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a single category: 0/0, reported as None
        kappa = float(cohen_kappa_score(first, second))
    return None if math.isnan(kappa) else kappa


def krippendorff_alpha(rows: Sequence[dict[str, str]]) -> float | None:
    """Nominal alpha of rows {annotator: category}; None where nothing varies or nobody overlaps."""
    import krippendorff

    names = sorted({name for row in rows for name in row})
    values = sorted({category for row in rows for category in row.values()})
    if len(values) < 2:
        return None
    codes = {category: float(code) for code, category in enumerate(values)}
    table = np.array([[codes[row[name]] if name in row else np.nan for row in rows] for name in names])
    return float(krippendorff.alpha(reliability_data=table, level_of_measurement="nominal"))
