"""From candidates with probabilities to what is sure: synonyms as one, and the hypernyms that they share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

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
    for _noun, synsets, above, above_synsets in lexicon.select(columns).iter_rows():
        named = zip(above_synsets or (), above or (), strict=True)
        chain = [(synset, name) for synset, name in named if name not in _TOO_BROAD]
        own = list(synsets or ())[:1]
        for synset, name in chain:
            names.setdefault(synset, name)
        chains.append(tuple(own + [synset for synset, _ in chain]))
    for noun, synsets in lexicon.sort("weight", maintain_order=True).select("noun", "synsets").iter_rows():
        if synsets:
            names[synsets[0]] = noun  # the lexicon's word for it; of synonyms the heaviest
    groups = tuple(group or noun for group, noun in lexicon.select("group", "noun").iter_rows())
    return NounHypernyms(names=names, chains=tuple(chains), groups=groups)


def summed(hypernyms: NounHypernyms, nouns: Sequence[int], probabilities: Sequence[float]) -> dict[str, float]:
    """Probability of each synset: the sum over the candidates that are it or lie below it.

    Args:
        nouns: ids of the candidates; -1 is of no lexicon and lies below nothing.
    """
    sums: dict[str, float] = {}
    for noun, probability in zip(nouns, probabilities, strict=True):
        for synset in set(hypernyms.chains[noun]) if noun >= 0 else ():
            sums[synset] = sums.get(synset, 0.0) + probability
    return sums


def chain_of(
    hypernyms: NounHypernyms, nouns: Sequence[int], probabilities: Sequence[float]
) -> tuple[tuple[str, float], ...]:
    """The likeliest name and what lies above it, most specific first, each with its probability (see `summed`).

    Where another name is at least as specific and likelier than what the way up from the first candidate offers, it
    stands in between: of wolf 0.4 and two breeds at 0.3 the chain is wolf 0.4, dog 0.6, canine 1.

    Args:
        nouns: ids of the candidates, best first; -1 is of no lexicon and lies below nothing.
    """
    sums = summed(hypernyms, nouns, probabilities)
    below: dict[str, int] = {}  # how far up a synset stands, at most
    for noun in nouns:
        for place, synset in enumerate(hypernyms.chains[noun]) if noun >= 0 else ():
            below[synset] = max(below.get(synset, 0), len(hypernyms.chains[noun]) - place)
    chain: list[tuple[str, float]] = []
    # from the most specific: what is broader must be likelier, or it says less for nothing
    own = hypernyms.chains[nouns[0]][0] if nouns and nouns[0] >= 0 and hypernyms.chains[nouns[0]] else None
    ordered = sorted(sums, key=lambda synset: (synset != own, -below[synset], -sums[synset]))
    for synset in ordered:
        if not chain or sums[synset] > chain[-1][1] + 1e-9:
            chain.append((hypernyms.names[synset], min(1.0, sums[synset])))
    return tuple(chain) if own is not None else ()


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
