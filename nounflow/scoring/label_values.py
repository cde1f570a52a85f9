"""How the open-world evaluations of others compare an answer with the label alone: one value a labelled image.

Precision and recall over WordNet: Snaebjarnarson et al. 2025 (Taxonomy-aware evaluation of vision-language models).
Text inclusion, sentence and concept similarity: Conti et al. 2025 (On large multimodal models as open-world image
classifiers). Cluster accuracy: Yang et al. 2010 (Image clustering using local discriminant models).
"""

from collections.abc import Iterator

import numpy as np

from nounflow.schemas.labels import Labels
from nounflow.scoring.evaluation import Evaluation
from nounflow.text import canon

CONCEPTS = 5  # first nouns of an answer


def labelled(evaluation: Evaluation, run: str) -> Iterator[tuple[tuple[str, ...], Labels]]:
    """A run's nouns (none where it gave no answer) and the label of each labelled image, in the order of images."""
    nouns, labels = evaluation.answers[run].nouns, evaluation.image_set.labels
    return ((nouns[image], labels[image]) for image in evaluation.judged[run].images if image in labels)


def hierarchical_values(evaluation: Evaluation, run: str) -> np.ndarray:
    """hP and hR of the first noun, float64 [labelled images, 2].

    A(x) is a synset and all above it: hP = |A(p) & A(g)| / |A(p)|, hR = |A(p) & A(g)| / |A(g)|. Of several senses, and
    of the label and what is accepted beside it, the pair with the greatest harmonic mean counts.
    """
    hierarchy = evaluation.hierarchy
    assert hierarchy is not None
    rows = [hierarchy.overlap(nouns[0], label) if nouns else (0.0, 0.0) for nouns, label in labelled(evaluation, run)]
    return np.array(rows).reshape(-1, 2)


def inclusion_values(evaluation: Evaluation, run: str) -> np.ndarray:
    """1 where the label stands in the first noun, letter by letter in normal spelling; float64 [labelled images]."""
    rows = [bool(nouns) and canon(label.gold) in canon(nouns[0]) for nouns, label in labelled(evaluation, run)]
    return np.array(rows, dtype=np.float64)


def similarity_values(evaluation: Evaluation, run: str, concepts: int = 1) -> np.ndarray:
    """Greatest cosine of the label's sentence vector with those of the first nouns; 0 where there is no answer.

    `Evaluation.sentences` holds the unit vectors; float64 [labelled images].
    """
    vectors = evaluation.sentences
    rows = [
        max((float(vectors[noun] @ vectors[label.gold]) for noun in nouns[:concepts]), default=0.0)
        for nouns, label in labelled(evaluation, run)
    ]
    return np.array(rows)


def cluster_values(evaluation: Evaluation, run: str) -> np.ndarray:
    """1 where the first noun is the one matched to the label's class, float64 [labelled images].

    Names are clusters: each first noun is matched to one gold noun at most, and each gold noun to one first noun, so
    that most images agree (the assignment problem). What a name means does not count, only that it is used alike.
    """
    from scipy.optimize import linear_sum_assignment

    pairs = [(nouns[0] if nouns else "", canon(label.gold)) for nouns, label in labelled(evaluation, run)]
    said, meant = (sorted({pair[side] for pair in pairs if pair[0]}) for side in (0, 1))
    counts = np.zeros((len(said), len(meant)))
    row, column = ({name: place for place, name in enumerate(names)} for names in (said, meant))
    for noun, gold in pairs:
        if noun:
            counts[row[noun], column[gold]] += 1
    chosen = set(zip(*(part.tolist() for part in linear_sum_assignment(counts, maximize=True)), strict=True))
    return np.array([bool(noun) and (row[noun], column[gold]) in chosen for noun, gold in pairs], dtype=np.float64)
