"""Synonyms as targets: a text that names a sofa is one of a couch, too."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from nounflow.store.training_set import TrainingSet


def synonym_groups(nouns: pl.DataFrame) -> list[list[int]]:
    """Ids, ascending, of the nouns of each first synset that two or more nouns of a table of schema `NOUNS` share."""
    first = nouns.select("id", synset=pl.col("synsets").list.first()).drop_nulls()
    groups = first.group_by("synset", maintain_order=True).agg(pl.col("id").sort()).filter(pl.col("id").list.len() > 1)
    return groups["id"].to_list()


def share_with_synonyms(texts: TrainingSet, groups: Sequence[Sequence[int]], share: float) -> TrainingSet:
    """The same texts, but each target gives a share of its weight to its synonyms, in equal parts.

    Weights of a text still sum to 1. A noun that a text names beside its synonym is a target twice, which costs a
    little and adds up to the same loss.

    Args:
        groups: ids of nouns that mean the same; no noun is in two groups.
        share: 0 leaves all as it is.
    """
    if not share or not groups:
        return texts
    others = {noun: [other for other in group if other != noun] for group in groups for noun in group}
    count = np.zeros(max(int(texts.targets.max()), *others) + 1, dtype=np.int64)
    count[list(others)] = [len(nouns) for nouns in others.values()]
    start = np.zeros_like(count)
    start[list(others)] = np.cumsum(count[list(others)]) - count[list(others)]
    synonyms = np.concatenate([np.asarray(nouns, dtype=np.int64) for nouns in others.values()])

    copies = 1 + count[texts.targets]
    ends = np.concatenate([[0], np.cumsum(copies)])
    origin = np.repeat(np.arange(len(copies)), copies)
    place = np.arange(ends[-1]) - ends[origin]  # 0: the noun itself
    noun = texts.targets[origin].astype(np.int64)
    own = place == 0
    targets = np.where(own, noun, synonyms[start[noun] + np.maximum(place - 1, 0)])
    shares = np.where(own, np.where(count[noun] > 0, 1 - share, 1), share / np.maximum(count[noun], 1))
    return replace(
        texts,
        targets=targets.astype(texts.targets.dtype),
        target_weights=(texts.target_weights[origin] * shares).astype(np.float32),
        offsets=ends[texts.offsets],
    )
