"""One name for what would have none, since its words are ambiguous or rare.

That is what ambiguous words are often used for ("full moon" where "full" is left out, "index finger" for "index"), and
what photographs show of the classes that have few words: persons at work, events, landforms, papers, coins.
"""

import functools
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from nounflow.nouns.entries import NounEntry
from nounflow.nouns.frequencies import log_weight
from nounflow.senses import WordSense

_OFTEN = 2.0  # so far above the least weight is a use for which a name without evidence will do
_CLEAR = 0.3  # share of a word's use that a clear name has in its first sense


@dataclass(frozen=True)
class Drop:
    """Why a noun is dropped."""

    AMBIGUOUS: ClassVar[str] = "ambiguous"
    RARE: ClassVar[str] = "rare"

    why: str
    kind: str | None = None  # AMBIGUOUS: a word of many senses; RARE: it may stand in for such a word


def stand_ins(
    entries: Sequence[NounEntry], drops: Mapping[str, Drop | None], min_weight: float, complete: Collection[str]
) -> Iterator[str]:
    """Canons of rare nouns that are to stay, one for each sense that is to have a name.

    Args:
        drops: canon -> why a noun is dropped, None for those that stay.
        min_weight: from here on a sense of ambiguous words is to have a name.
        complete: WordNet classes whose senses all are to have one.
    """
    covered = {sense.synset.id for entry in entries if drops[entry.canon] is None for sense in entry.senses}
    names: dict[str, list[tuple[NounEntry, WordSense]]] = defaultdict(list)
    use: dict[str, float] = defaultdict(float)  # of ambiguous words
    for entry in entries:
        drop = drops[entry.canon]
        for sense in entry.senses if drop else ():
            if sense.synset.id in covered:
                continue
            names[sense.synset.id].append((entry, sense))
            frequency = entry.sense_frequency(sense) if drop and drop.kind == Drop.AMBIGUOUS else 0.0
            use[sense.synset.id] = max(use[sense.synset.id], frequency)
    for synset in sorted(use, key=lambda synset: (-use[synset], synset)):
        wanted = names[synset][0][1].synset.lexname in complete or log_weight(use[synset]) >= min_weight
        if synset in covered or not wanted:
            continue
        # what ambiguous words seldom mean needs no name that nobody writes ("imperial beard" for "imperial")
        often = log_weight(use[synset]) >= min_weight + _OFTEN
        meant = often or not use[synset] or any(sense.count for _, sense in names[synset])
        clear = [
            entry
            for entry, sense in names[synset]
            if (drop := drops[entry.canon]) and drop.kind == Drop.RARE and _is_clear(entry, sense)
            if meant or entry.pictured or entry.frequency
        ]
        if clear:
            name = max(clear, key=functools.partial(_rank, {entry.canon for entry, _ in names[synset]}))
            covered |= {sense.synset.id for sense in name.senses}
            yield name.canon


def _is_clear(entry: NounEntry, sense: WordSense) -> bool:
    """Whether a noun mostly means this, and is a word in use or a compound of such words."""
    mass = sum(selected.mass for selected in entry.senses)
    used = entry.weight > 1 or (" " in entry.canon and entry.object_frequency > 0)
    return used and entry.senses[0] == sense and entry.noun_share * sense.mass / mass >= _CLEAR


def _rank(words: Collection[str], entry: NounEntry) -> tuple[bool, bool, bool, bool, float, str]:
    """Names in use, counted ones, compounds of the ambiguous word, small letters before others, then by use."""
    parts = entry.canon.split(" ")
    compound = len(parts) > 1 and not set(parts).isdisjoint(words)
    small, use = entry.noun == entry.noun.lower(), entry.object_frequency
    return entry.weight > 1, entry.frequency > 0, compound, small, use, entry.canon
