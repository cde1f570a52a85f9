"""What WordNet says of a noun, for people who judge: meanings with gloss, synonyms and what they are a kind of."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from nounflow.annotation.words import usual_senses
from nounflow.errors import NounflowError
from nounflow.inputs import input_folder
from nounflow.senses import WordSenses
from nounflow.wordnet import Synset, WordNet

_MEANINGS, _SYNONYMS, _KINDS = 4, 6, 4  # most that a card shows


class Meaning(NamedTuple):
    """One meaning of a noun."""

    gloss: str
    synonyms: tuple[str, ...]
    kinds: tuple[str, ...]  # what it is a kind of, nearest first


class Dictionary:
    """Looks nouns up, singular or plural; things that a picture can show come first."""

    def __init__(self, wordnet: WordNet) -> None:
        self._wordnet = wordnet
        self._words = WordSenses(wordnet)
        self.meanings = functools.lru_cache(maxsize=100_000)(self._meanings)

    def _meanings(self, noun: str) -> tuple[Meaning, ...]:
        usual = (synset.id for synset in usual_senses(self._words, noun))
        ordered = dict.fromkeys((*usual, *self._words.meanings(noun)))
        return tuple(self._meaning(self._wordnet.synsets[sense], noun) for sense in list(ordered)[:_MEANINGS])

    def _meaning(self, synset: Synset, noun: str) -> Meaning:
        synonyms = tuple(lemma for lemma in synset.lemmas if lemma.lower() != noun.lower())
        kinds = tuple(parent.lemmas[0] for parent in self._wordnet.hypernym_chain(synset.id))
        return Meaning(synset.gloss, synonyms[:_SYNONYMS], kinds[:_KINDS])


def load_dictionary(manifest: Path, extended: Callable[[WordNet], WordNet] = lambda wordnet: wordnet) -> Dictionary:
    """WordNet from the workflow's input.

    Args:
        extended: adds nouns that WordNet lacks.

    Raises:
        NounflowError: it was not fetched yet.
    """
    if not manifest.is_file():
        raise NounflowError(
            "There is no WordNet to show meanings from",
            where=manifest,
            fix="run `snakemake --cores 1 results/inputs/wordnet/manifest.json`, or pass --wordnet",
        )
    return Dictionary(extended(WordNet.load(input_folder(manifest))))
