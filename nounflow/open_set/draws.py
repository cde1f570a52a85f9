"""Which images count as known and which do not, when both come from one labelled set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nounflow.streams import stream
from nounflow.wordnet import WordNet


@dataclass(frozen=True)
class Draw:
    """A choice of known nouns, and what that makes of each image (bool [images] each)."""

    classes: tuple[str, ...]  # the known nouns
    known: np.ndarray
    unknown: Mapping[str, np.ndarray]  # near, far ...; images that are neither known nor of one of these take no part

    @property
    def neither(self) -> int:
        """Images that take no part."""
        return int((~np.logical_or.reduce([self.known, *self.unknown.values()])).sum())


def draw_known(nouns: Sequence[str], synsets: Sequence[str | None], wordnet: WordNet, share: float, seed: int) -> Draw:
    """Draw a share of the nouns as known, class by class of WordNet; nouns of one meaning go together.

    Of the others, those are near that have the lexicographer file and the nearest hypernym of a known noun, the rest is
    far. What is a kind of a known noun, or what a known noun is a kind of, takes no part.

    Args:
        nouns: of each image.
        synsets: of each image, what its noun means; None: not known to WordNet.
    """
    meaning = [synset or f"word {noun}" for noun, synset in zip(nouns, synsets, strict=True)]
    by_class: dict[str, list[str]] = {}
    for name in sorted(set(meaning)):
        by_class.setdefault(_lexname(wordnet, name), []).append(name)
    rng, drawn = stream(seed, "open set", "draw"), set[str]()
    for _, members in sorted(by_class.items()):
        count = int(share * len(members) + rng.random())  # right on average, however small a class is
        drawn.update(members[i] for i in rng.permutation(len(members))[:count])
    known = np.array([name in drawn for name in meaning])
    lines = {name: set(wordnet.ancestors(name)) if name in wordnet.synsets else {name} for name in set(meaning)}
    above_known = set().union(*(lines[name] for name in drawn)) if drawn else set()
    related = np.array([bool(lines[name] & drawn) or name in above_known for name in meaning])
    families = {_family(wordnet, name) for name in drawn} - {None}
    near = np.array([_family(wordnet, name) in families for name in meaning])
    classes = tuple(dict.fromkeys(noun for noun, ours in zip(nouns, known, strict=True) if ours))
    return Draw(classes, known, {"near": near & ~related, "far": ~near & ~related})


def _lexname(wordnet: WordNet, name: str) -> str:
    return wordnet.synsets[name].lexname if name in wordnet.synsets else ""


def _family(wordnet: WordNet, name: str) -> tuple[str, str] | None:
    """Lexicographer file and nearest hypernym."""
    synset = wordnet.synsets.get(name)
    return (synset.lexname, synset.parents[0]) if synset and synset.parents else None
