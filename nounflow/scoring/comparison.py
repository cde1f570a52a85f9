"""Every run against every run, and all against one."""

from typing import NamedTuple

import numpy as np

from nounflow.errors import NounflowError
from nounflow.scoring.evaluation import Evaluation
from nounflow.scoring.intervals import holm
from nounflow.scoring.results import Comparison, Scores

_FIGURES = ("difference", "low", "high", "p", "p_holm")


def compare(evaluation: Evaluation) -> Comparison:
    """Every run against every run, with p-values corrected for the number of pairs."""
    runs = tuple(evaluation.judged)
    pairs = [(i, j) for i in range(len(runs)) for j in range(i)]
    found = [evaluation.difference(runs[j], runs[i]) for i, j in pairs]
    figures = np.zeros((len(_FIGURES), len(runs), len(runs)))
    figures[3:] = 1.0  # of a run with itself
    corrected = holm([estimate.p for _, estimate in found])
    for (i, j), (difference, (low, high, p)), p_holm in zip(pairs, found, corrected, strict=True):
        figures[:, j, i] = difference, low, high, p, p_holm
        figures[:, i, j] = 0.0 - difference, 0.0 - high, 0.0 - low, p, p_holm
    return Comparison(
        image_set=evaluation.image_set,
        annotator=evaluation.annotator,
        runs=runs,
        **dict(zip(_FIGURES, figures.tolist(), strict=True)),
    )


class Against(NamedTuple):
    """A run's prediction score minus another's, as fractions, with the paired 95 % interval."""

    run: str
    against: str
    image_set: str
    annotator: str
    difference: float
    low: float
    high: float
    p: float
    p_holm: float  # corrected for all pairs of runs on this image set under this annotator


def against(scores: Scores, run: str) -> list[Against]:
    """Every run's difference to one run.

    Raises:
        NounflowError: no run of that name was scored.
    """
    known = sorted({name for one in scores.comparisons for name in one.runs})
    if run not in known:
        raise NounflowError(
            f"No run that was judged is called '{run}'",
            fix=f"take one of {', '.join(known)}" if known else "nothing is judged yet: see docs/annotations.md",
        )
    found = []
    for one in scores.comparisons:
        for name in one.runs if run in one.runs else ():
            if name != run:
                i, j = one.runs.index(name), one.runs.index(run)
                figures = (getattr(one, figure)[i][j] for figure in _FIGURES)
                found.append(Against(name, run, one.image_set, one.annotator, *figures))
    return found
