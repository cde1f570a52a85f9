"""Every run against every run, and all against one."""

from typing import NamedTuple

import numpy as np

from nounflow.errors import NounflowError
from nounflow.scoring.evaluation import Evaluation
from nounflow.scoring.intervals import holm
from nounflow.scoring.results import Comparison, Scores


def compare(evaluation: Evaluation) -> Comparison:
    """Every run against every run, with p-values corrected for the number of pairs."""
    runs = tuple(evaluation.answers)
    pairs = [(i, j) for i in range(len(runs)) for j in range(i)]
    corrected = dict(zip(pairs, holm([evaluation.difference(runs[i], runs[j])[1].p for i, j in pairs]), strict=True))
    size = (len(runs), len(runs))
    difference, low, high, p, p_holm = np.zeros(size), np.zeros(size), np.zeros(size), np.ones(size), np.ones(size)
    for i, j in (*pairs, *((j, i) for i, j in pairs)):
        difference[i, j], (low[i, j], high[i, j], p[i, j]) = evaluation.difference(runs[i], runs[j])
        p_holm[i, j] = corrected[max(i, j), min(i, j)]
    return Comparison(
        image_set=evaluation.image_set.name,
        annotator=evaluation.annotator,
        runs=runs,
        difference=difference.tolist(),
        low=low.tolist(),
        high=high.tolist(),
        p=p.tolist(),
        p_holm=p_holm.tolist(),
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
        figures = (one.difference, one.low, one.high, one.p, one.p_holm)
        for name in one.runs if run in one.runs else ():
            if name != run:
                i, j = one.runs.index(name), one.runs.index(run)
                found.append(Against(name, run, one.image_set, one.annotator, *(matrix[i][j] for matrix in figures)))
    return found
