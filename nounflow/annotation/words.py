"""Words and their meanings in WordNet, for judging: singular and plural as one, and which senses a word usually has."""

from __future__ import annotations

import functools
import re

import inflect

from nounflow.text import canon
from nounflow.wordnet import Synset, WordNet

NAMED_KINDS = frozenset({"animal", "plant", "food", "artifact"})
OTHER_KINDS = frozenset({"object", "body", "person", "phenomenon", "substance", "tops"})
OBJECT_KINDS = NAMED_KINDS | OTHER_KINDS

# A sense is rare when (its count + 1) x this factor is below or at (the commonest object sense's count + 1). The tagged
# texts are novels and news, where animals and plants are seldom seen (seal: wax 3, animal 0), so these need more proof.
_RARE_LIVING, _RARE_OTHER = 10, 3
_LIVING = frozenset({"animal", "plant", "food"})
_PLAIN = re.compile(r"[a-z][a-z ]*[a-z]")


class Vocabulary:
    """Looks words up by `nounflow.text.canon`, in singular or plural, and weighs their senses by the tagged texts."""

    def __init__(self, wordnet: WordNet) -> None:
        self.wordnet = wordnet
        self._inflect = inflect.engine()
        self._offsets: dict[str, dict[int, None]] = {}
        for word, offsets in wordnet.index.items():
            self._offsets.setdefault(canon(word), {}).update(dict.fromkeys(offsets))
        self._irregular = {canon(plural): singulars for plural, singulars in wordnet.exceptions.items()}
        self.singulars = functools.lru_cache(maxsize=None)(self._singulars)

    def knows(self, noun: str) -> bool:
        """Whether WordNet lists this very form."""
        return canon(noun) in self._offsets

    def senses(self, noun: str) -> tuple[Synset, ...]:
        """Meanings of a noun and, if it may be a plural, of its singulars; commonest first, those of the form first."""
        offsets = dict.fromkeys(o for form in (canon(noun), *self.singulars(noun)) for o in self._offsets.get(form, ()))
        return tuple(self.wordnet.synsets[offset] for offset in offsets)

    def _singulars(self, noun: str) -> tuple[str, ...]:
        """Canonical singulars that a form may be the plural of: "computer mice" -> ("computer mouse",)."""
        form = canon(noun)
        head, _, last = form.rpartition(" ")
        found = dict.fromkeys(canon(f"{head} {singular}") for singular in self._irregular.get(last, ()))
        if _PLAIN.fullmatch(form):
            singular = self._inflect.singular_noun(form)
            if isinstance(singular, str):
                found[canon(singular)] = None
            if form.endswith("i") and f"{form[:-1]}us" in self._offsets:  # cacti: not in every WordNet, nor in inflect
                found[f"{form[:-1]}us"] = None
        return tuple(s for s in found if s != form and len(s) > 2 and (s in self._offsets or form not in self._offsets))

    def forms(self, noun: str) -> frozenset[str]:
        """The spellings that a *label* stands for: itself and its singular.

        A form that has meanings of its own is not reduced: the label "glasses" is no "glass".
        """
        form = canon(noun)
        return frozenset({form} | {s for s in self.singulars(noun) if not (self.knows(form) and self.knows(s))})

    def readings(self, noun: str) -> frozenset[str]:
        """The spellings that a *prediction* may stand for: itself and each singular."""
        return frozenset({canon(noun), *self.singulars(noun)})

    def lemmas(self, synset: Synset) -> frozenset[str]:
        """Canonical words of a meaning."""
        return frozenset(map(canon, synset.lemmas))

    def count(self, noun: str, synset: Synset) -> int:
        """How often the noun (or its singular) has this meaning in the sense-tagged texts."""
        readings = self.readings(noun)
        pairs = zip(synset.lemmas, synset.sense_keys, strict=True)
        return max((self.wordnet.tag_counts.get(key, 0) for word, key in pairs if canon(word) in readings), default=0)

    def usual_senses(self, noun: str, kinds: frozenset[str] = OBJECT_KINDS) -> tuple[Synset, ...]:
        """Meanings that name a kind of thing, without proper names and without those that are rare for this noun.

        Where the noun also names an animal, a plant, food or an artifact, a person is meant only if most often so.
        """
        counted = [(s, self.count(noun, s)) for s in self.senses(noun) if s.lexname in kinds and not s.is_instance]
        most = max((n for _, n in counted), default=0)
        named = any(s.lexname in NAMED_KINDS for s, _ in counted)
        return tuple(s for s, n in counted if (n == most and most) or not _is_rare(n, most, s.lexname, named))

    def default_sense(self, noun: str) -> Synset | None:
        """What a label without a sense key means.

        The commonest usual sense among animals, plants, food and artifacts; else among other objects; else the first.
        """
        usual = self.usual_senses(noun)
        for kinds in (NAMED_KINDS, OTHER_KINDS):
            among = [s for s in usual if s.lexname in kinds]
            if among:
                return max(among, key=lambda s: self.count(noun, s))  # the first of equals
        return next(iter(self.senses(noun)), None)


def _is_rare(count: int, most: int, lexname: str, named: bool) -> bool:
    if lexname == "person" and named:
        return True  # the doll, peach and baggage that slang makes of a woman
    factor = _RARE_LIVING if lexname in _LIVING else _RARE_OTHER
    return (count + 1) * factor <= most + 1
