"""Nouns that WordNet (2006) lacks or knows in another sense: a table of our own, put below WordNet's synsets.

Each row becomes a synset with the row's noun and aliases as its words, so that forms, senses and weights treat it as
WordNet's own. Its sense keys end in `:90::`, a number that WordNet does not reach.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nounflow.files import sha256_text
from nounflow.nouns.inflection_lists import Countability
from nounflow.senses import WordSenses
from nounflow.text import canon
from nounflow.tsv import Row, read_rows
from nounflow.wordnet import ADDED, LEXNAMES, Synset, WordNet

COLUMNS = ("noun", "aliases", "kind", "parent", "use", "share", "gloss")
_USES: tuple[Countability, ...] = ("count", "mass", "both", "plural")
WRITTEN = re.compile(r"[A-Za-z0-9][A-Za-z0-9 '.-]+")
_GLOSS = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ',;-]+[a-z]")


@dataclass(frozen=True)
class Addition:
    """One entry."""

    words: tuple[str, ...]  # the noun and its aliases, as written
    kind: str  # WordNet class
    parent: str  # sense key
    use: Countability
    share: float  # of the words' use as nouns, where WordNet has another sense of them
    gloss: str

    @property
    def keys(self) -> tuple[str, ...]:
        """A sense key for each word."""
        number = next(number for number, name in LEXNAMES.items() if name == self.kind)
        return tuple(f"{word.lower().replace(' ', '_')}%1:{number:02d}:{ADDED}::" for word in self.words)


def read_supplement(path: Path, wordnet: WordNet) -> tuple[Addition, ...]:
    """The entries of a table with the columns `COLUMNS`; aliases are parted by semicolons.

    Raises:
        NounflowError: a mistake in the table, with file and row: a word that stands twice, a parent or class that
            WordNet lacks, a share without another sense (or none beside one), signs that are no plain text.
    """
    words = WordSenses(wordnet)
    places: dict[str, str] = {}
    return tuple(_addition(row, wordnet, words, places) for row in read_rows(path, COLUMNS, "supplement"))


def _addition(row: Row, wordnet: WordNet, senses: WordSenses, places: dict[str, str]) -> Addition:
    words = tuple(word for word in (row["noun"], *row["aliases"].split("; ")) if word)
    row.refuse_if(not row["noun"], "the noun is missing")
    for word in words:
        row.refuse_if(not WRITTEN.fullmatch(word), f"'{word!a}': plain letters, digits, space, ' . or - expected")
        place = places.setdefault(canon(word), row.place)
        row.refuse_if(place != row.place, f"'{word}' stands already in {place.rpartition(', ')[2]}")
    row.refuse_if(len({canon(word) for word in words}) < len(words), f"'{row['noun']}' has the same alias twice")
    gloss = row["gloss"]
    row.refuse_if(not _GLOSS.fullmatch(gloss), f"gloss '{gloss!a}': a phrase of plain words without full stop expected")
    row.refuse_if(row["kind"] not in LEXNAMES.values(), f"kind '{row['kind']}': found, a WordNet class expected")
    unknown = row["parent"] not in wordnet.sense_ids
    row.refuse_if(unknown, f"parent '{row['parent']}' is no sense key of this WordNet", "such as telephone%1:06:00::")
    use = next((use for use in _USES if use == row["use"]), None)
    row.refuse_if(use is None, f"use '{row['use']}': one of {', '.join(_USES)} expected")
    known = [word for word in words if senses.knows(word)]
    share = row["share"]
    wrong = not re.fullmatch(r"0?\.\d+", share) if known else bool(share)
    advice = (
        f"a share between 0 and 1 expected: WordNet has another {known[0]}" if known else "WordNet has no other sense"
    )
    row.refuse_if(wrong, f"share '{share}': {advice}")
    return Addition(words, row["kind"], row["parent"], use or "count", float(share or 1), gloss)


def extended(wordnet: WordNet, additions: tuple[Addition, ...]) -> tuple[WordNet, frozenset[str]]:
    """A WordNet with the additions, and the ids of their synsets ("n9" and seven digits, by content)."""
    if not additions:
        return wordnet, frozenset()
    words = WordSenses(wordnet)
    synsets, counts = dict(wordnet.synsets), dict(wordnet.tag_counts)
    index = dict(wordnet.index)
    ids = []
    for addition in additions:
        sense = next(number for number in _numbers(addition.words[0]) if number not in synsets)
        ids.append(sense)
        parent = wordnet.sense_ids[addition.parent]
        synsets[sense] = Synset(sense, addition.kind, addition.words, addition.keys, (parent,), (), addition.gloss)
        for word, key in zip(addition.words, addition.keys, strict=True):
            index[word.lower()] = (*index.get(word.lower(), ()), sense)
            if others := sum(other.mass for other in words.senses(word)):
                counts[key] = max(1, round(others * addition.share / (1 - addition.share)))
    return WordNet(synsets, index, wordnet.exceptions, counts), frozenset(ids)


def _numbers(word: str) -> Iterator[str]:
    number = int(sha256_text(canon(word))[:12], 16)
    while True:
        yield f"n9{number % 10**7:07d}"
        number += 1
