"""A mean embedding for each noun, of the texts that name it alone."""

import numpy as np

from nounflow.counts import Flow
from nounflow.errors import NounflowError
from nounflow.store.training_set import TrainingSet

_BLOCK = 1 << 16


def noun_embeddings(training_set: TrainingSet, nouns: int, flow: Flow) -> np.ndarray:
    """Normalised mean embedding of each noun's single-noun texts: float32 [nouns, dim].

    Held-out texts are left out, as what is fitted later is fitted to them; only where a noun has no others do they
    take part. `flow` counts the texts.

    Raises:
        NounflowError: a noun has no text of its own.
    """
    found = mean_embeddings(training_set, nouns, flow)
    if missing := int((~found.any(1)).sum()):
        raise NounflowError(
            f"{missing} nouns have no text of their own to be found by",
            fix="give the run a mixture with M1, such as `multiset: [1]`",
        )
    return found


def mean_embeddings(training_set: TrainingSet, nouns: int, flow: Flow) -> np.ndarray:
    """As `noun_embeddings`, and 0 where a noun has no text of its own."""
    single = np.flatnonzero(np.diff(training_set.offsets) == 1)
    flow.drop(len(training_set.vectors) - len(single), "name several nouns")
    labels = training_set.targets[training_set.offsets[single]]
    trained = ~training_set.heldout[single]
    taken = trained | ~np.isin(labels, labels[trained])
    flow.drop(int((~taken).sum()), "held out, their nouns have others")
    single, labels = single[taken], labels[taken]
    flow.out(len(single), "texts averaged")
    sums = np.zeros((nouns, training_set.vectors.shape[1]), dtype=np.float64)
    for first in range(0, len(single), _BLOCK):  # the vectors need not fit into memory
        block = slice(first, first + _BLOCK)
        np.add.at(sums, labels[block], training_set.vectors[single[block]].astype(np.float64))
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    found: np.ndarray = (sums / np.where(lengths > 0, lengths, 1.0)).astype(np.float32)
    return found
