"""From candidates with probabilities to what is sure: synonyms as one, and the hypernyms that they share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nounflow.schemas.hypernyms import NounHypernyms

if TYPE_CHECKING:
    import polars as pl

HYPERNYMS = "hypernyms.json"  # beside a model's manifest
# Above these a name says nothing of a picture any more.
_TOO_BROAD = {
    *("entity", "physical entity", "abstraction", "object", "whole", "matter", "thing", "causal agent"),
    *("instrumentality", "living thing"),
}


def hypernyms_of(lexicon: pl.DataFrame) -> NounHypernyms:
    """What lies above each noun of a lexicon (schema `LEXICON`), without what is too broad to be an answer."""
    names: dict[str, str] = {}
    chains = []
    columns = ("noun", "synsets", "hypernyms", "hypernym_synsets")
    for noun, synsets, above, above_synsets in lexicon.select(columns).iter_rows():
        named = zip(above_synsets or (), above or (), strict=True)
        chain = [(synset, name) for synset, name in named if name not in _TOO_BROAD]
        own = list(synsets or ())[:1]
        for synset in own:
            names[synset] = noun  # the lexicon's word for it
        for synset, name in chain:
            names.setdefault(synset, name)
        chains.append(tuple(own + [synset for synset, _ in chain]))
    groups = tuple(group or noun for group, noun in lexicon.select("group", "noun").iter_rows())
    return NounHypernyms(names=names, chains=tuple(chains), groups=groups)


def chain_of(
    hypernyms: NounHypernyms, nouns: Sequence[int], probabilities: Sequence[float]
) -> tuple[tuple[str, float], ...]:
    """The first candidate and what lies above it, most specific first, each with its probability.

    That of a hypernym is the sum over all candidates below it, so it never falls on the way up.

    Args:
        nouns: ids of the candidates, best first; -1 is of no lexicon and lies below nothing.
    """
    if not nouns or nouns[0] < 0:
        return ()
    sums: dict[str, float] = {}
    for noun, probability in zip(nouns, probabilities, strict=True):
        for synset in dict.fromkeys(hypernyms.chains[noun]) if noun >= 0 else ():
            sums[synset] = sums.get(synset, 0.0) + probability
    chain = [(hypernyms.names[synset], min(1.0, sums[synset])) for synset in hypernyms.chains[nouns[0]]]
    # a hypernym of one way up need not lie below that of another: what is broader is at least as likely
    rising = np.maximum.accumulate([probability for _, probability in chain]).tolist() if chain else []
    return tuple((name, probability) for (name, _), probability in zip(chain, rising, strict=True))


def merged_synonyms(
    hypernyms: NounHypernyms, nouns: Sequence[int], probabilities: Sequence[float]
) -> tuple[list[int], list[float]]:
    """Places of the first candidate of each group of synonyms, best group first, and the groups' probabilities.

    A candidate of no lexicon (-1) is a group of its own.
    """
    sums: dict[str, float] = {}
    first: dict[str, int] = {}
    for place, (noun, probability) in enumerate(zip(nouns, probabilities, strict=True)):
        group = hypernyms.groups[noun] if noun >= 0 else f" {place}"
        first.setdefault(group, place)
        sums[group] = sums.get(group, 0.0) + probability
    order = sorted(sums, key=lambda group: -sums[group])
    return [first[group] for group in order], [sums[group] for group in order]
