"""Nouns from other sources than WordNet: each becomes an entry of the supplement's kind below a WordNet synset.

A source's reader gives `FoundNoun`s. One rule for all decides what is new and where it belongs:
1. words that WordNet or the supplement knows, and words of other signs than plain text, are dropped;
2. the parent is the nearest synset above that WordNet has; else what the noun is another name for; else, for
   compounds of WordNet's nouns, its last words, as many as WordNet knows; of several senses the one of the first class
   that the source names, and of these the commonest;
3. what has no parent is not taken, and listed.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from nounflow.config.inputs import NOUN_READERS
from nounflow.inputs import input_folder
from nounflow.nouns.supplement import WRITTEN, Addition
from nounflow.registry import resolve
from nounflow.schemas.documents import read_document
from nounflow.schemas.inputs import InputManifest
from nounflow.senses import WordSenses
from nounflow.text import canon
from nounflow.wordnet import LEXNAMES, WordNet

_SHOWN = 40  # names without a parent that the log lists
_PLAIN = re.compile(r"[^\x20-\x7e]|[<>]")


@dataclass(frozen=True)
class FoundNoun:
    """A noun in a source."""

    words: tuple[str, ...]
    keys: tuple[str, ...] = ()  # its sense keys, if the source has some
    gloss: str = ""
    kind: str = ""  # WordNet class; "": its parent's
    classes: tuple[str, ...] = ()  # those of the parent, where it is looked for, best first; none: any
    above: tuple[str, ...] = ()  # sense keys of what stands above it, nearest first
    like: str = ""  # a word that means the same
    compound: bool = False  # a parent may be found by the last words


def read_imports(manifests: Iterable[Path], wordnet: WordNet, supplement: Iterable[Addition]) -> tuple[Addition, ...]:
    """The nouns of fetched sources that neither WordNet nor the supplement has; of two with one name the first.

    `manifests`: of the sources, whose names have a reader in `NOUN_READERS`.
    """
    senses = WordSenses(wordnet)
    taken = {canon(word) for addition in supplement for word in addition.words}
    additions: list[Addition] = []
    for path in manifests:
        source = read_document(InputManifest, path, "manifest of an input").name
        seen, new, lost = 0, 0, list[str]()
        for found in resolve(NOUN_READERS[source])(input_folder(path)):
            seen += 1
            words = [] if senses.wordnet.sense_ids.keys() & set(found.keys) else _new_words(found, senses, taken)
            parent = _parent(words[0], found, senses) if words else None
            if words and (parent is None or (found.kind or wordnet.synsets[parent].lexname) not in LEXNAMES.values()):
                lost.append(words[0])
            elif parent is not None:
                above = wordnet.synsets[parent]
                gloss = _PLAIN.sub("", found.gloss) or f"a kind of {above.lemmas[0]}"
                kind = found.kind or above.lexname
                additions.append(Addition(tuple(words), kind, above.sense_keys[0], "count", 1.0, gloss))
                taken |= set(map(canon, words))
                new += 1
        print(f"{source}: {seen:,} nouns, {new:,} of them new, {len(lost):,} without a place in WordNet", flush=True)
        if lost:
            print(f"  {', '.join(lost[:_SHOWN])}{' ...' if len(lost) > _SHOWN else ''}", flush=True)
    return tuple(additions)


def _new_words(found: FoundNoun, senses: WordSenses, taken: Collection[str]) -> list[str]:
    """Its words that are plain text and new, in the singular if the last word is a plural of WordNet's."""
    new = []
    for word in found.words:
        word = word.replace("’", "'")
        head, space, last = word.rpartition(" ")
        if space and not senses.knows(last) and (singulars := senses.singulars(last)):
            word = f"{head} {singulars[0]}"
        readings = {canon(word), *senses.singulars(word)}
        if WRITTEN.fullmatch(word) and readings.isdisjoint(taken) and not any(map(senses.knows, readings)):
            new.append(word)
    return list({canon(word): word for word in new}.values())


def _parent(word: str, found: FoundNoun, senses: WordSenses) -> str | None:
    """The synset that it is put below."""
    for key in found.above:
        if key in senses.wordnet.sense_ids:
            return senses.wordnet.sense_ids[key]
    parts = re.split("[ -]", word)
    nouns = all(senses.knows(part) or senses.singulars(part) for part in parts)
    ends = [" ".join(parts[start:]) for start in range(1, len(parts))] if found.compound and nouns else []
    for name in filter(None, (found.like, *ends)):
        kinds = [each.synset for each in senses.by_mass(name) if not each.synset.is_instance]
        for lexname in found.classes:
            if of_class := [synset for synset in kinds if synset.lexname == lexname]:
                return of_class[0].id
        if kinds and not found.classes:
            return kinds[0].id
    return None
