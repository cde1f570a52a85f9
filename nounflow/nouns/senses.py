"""How much of a word's use means an object: WordNet's sense counts over all parts of speech, smoothed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from nounflow.text import canon
from nounflow.wordnet import Synset, WordNet

# A name's sense (Stephen Crane, the constellation Crane) is written with a capital and seldom meant.
_NAME_PRIOR = 0.25


@dataclass(frozen=True)
class WordSense:
    """One noun sense of a word; `mass` is its smoothed count."""

    synset: Synset
    key: str  # this word's sense key in the synset
    spelling: str  # as WordNet writes it there
    mass: float


def _place(key: str) -> tuple[int, int]:
    """(number of the lexicographer file, lex_id) of a sense key: "crane%1:05:00::" -> (5, 0)."""
    _, file, lex_id, *_ = key.partition("%")[2].split(":")
    return int(file), int(lex_id)


class SenseTable:
    """Noun senses of every canon, with shares of use."""

    def __init__(self, wordnet: WordNet) -> None:
        self._wordnet = wordnet
        self._words: dict[str, list[str]] = {}
        for word in wordnet.index:
            self._words.setdefault(canon(word), []).append(word)
        self._other: dict[str, int] = {}  # counts as verb, adjective, adverb
        for key, count in wordnet.tag_counts.items():
            lemma, _, rest = key.partition("%")
            if rest[:1] != "1":
                name = canon(lemma)
                self._other[name] = self._other.get(name, 0) + count

    def senses(self, name: str) -> tuple[WordSense, ...]:
        """All noun senses of a canon, commonest first.

        Mass of a sense = its count in the tagged texts + a prior. WordNet orders the senses that its texts hold by
        frequency, so their prior is 1/rank. Behind them it goes backwards through its files, not by use: there the
        sense that was entered first (lex_id 0 in senseidx(5WN): the bullet that is shot, not the train) gets 1, the
        next 1/2 ..., and between equals the order of the files decides: animal, artifact, food, ..., plant.
        A sense written with a capital gets a quarter.
        """
        found: dict[str, WordSense] = {}
        for word in self._words.get(name, ()):
            for rank, synset in enumerate(self._wordnet.senses(word), 1):
                for spelling, key in zip(synset.lemmas, synset.sense_keys, strict=True):
                    if spelling.lower() == word and key not in found:
                        count = self._wordnet.tag_counts.get(key, 0)
                        prior = 1.0 / (rank if count else 1 + _place(key)[1])
                        prior *= 1.0 if spelling == spelling.lower() else _NAME_PRIOR
                        found[key] = WordSense(synset, key, spelling, count + prior)
        return tuple(sorted(found.values(), key=lambda sense: (-sense.mass, _place(sense.key))))

    def shares(self, name: str, selected: Collection[int]) -> tuple[float, float]:
        """(share of all uses, share of noun uses) in which the canon means one of the `selected` synsets."""
        senses = self.senses(name)
        nouns = sum(sense.mass for sense in senses)
        objects = sum(sense.mass for sense in senses if sense.synset.offset in selected)
        return objects / (nouns + self._other.get(name, 0)), objects / nouns
