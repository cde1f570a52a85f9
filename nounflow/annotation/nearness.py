"""When two WordNet meanings are nearly the same thing: the *close* of the annotator's rule, thresholds included.

How much a meaning says is measured by its size: the number of synsets at or below it (the fewer, the more it says;
intrinsic information content, Seco et al. 2004). Edges alone cannot tell: from a robin up to bird there are four,
from a loaf to food three. The thresholds are reasoned in docs/annotations.md and were set on hand-written pairs.
"""

import re

from nounflow.wordnet import Synset, WordNet

# A parent says enough up to this size. Each limit stands above the widest everyday name of the branch and below the
# names that say nothing (sizes in WordNet 3.0): bird 872 < mammal 1,182; herb 1,042 < woody plant 1,870;
# fruit 321 and beverage 340 < produce 375; clothing 561 < conveyance 575, implement 727, container 749.
_PARENT_SIZE = {"animal": 1000, "plant": 1100, "food": 350}
_PARENT_SIZE_OTHER = 570
_PARENT_EDGES = 6
# A more special noun claims what the label cannot confirm, so it may not go as far down as a parent may go up.
_CHILD_EDGES = 4

# The parent that siblings share. The tree of living things is the densest, so its small families are larger:
# rodent 139 < ruminant 162, carnivore 366; conifer 158 < grass 168, fern 177; candy 63 < dairy product 81, baked
# goods 264; motor vehicle 78 < electronic equipment 85, tableware 88.
_SIBLING_SIZE = {"animal": 150, "plant": 160, "food": 65}
_SIBLING_SIZE_OTHER = 80
_SIBLING_EDGES = 3  # up and down together, at most two each

# Larger, but each is one kind of thing to the eye: breeds are grouped by use (hunting, working), not by look.
_FAMILIES = ("canine%1:05:00::", "horse%1:05:00::", "domestic_cat%1:05:00::")
_MANKIND = ("homo%1:05:00::",)  # people are no near miss for apes, whatever the taxonomy says
_YOUNG = ("young%1:05:00::", "larva%1:05:00::")
# WordNet's top meanings (animal, plant, food, artifact ...) say nothing; "person" does: it is what a picture shows of a
# nurse or a sailor.
_PERSON = ("person%1:03:00::",)
# Small enough by the limits above, yet they name a role or a part in general, not a look.
_VAGUE = (
    "area%1:06:00::", "course%1:13:00::", "decoration%1:06:00::", "equipment%1:06:00::", "helping%1:13:00::",
    "ingredient%1:13:00::", "invertebrate%1:05:00::", "mechanism%1:06:00::", "part%1:06:00::", "passage%1:06:00::",
    "piece%1:06:00::", "plant_organ%1:20:00::", "plant_part%1:20:00::", "product%1:06:00::",
    "representation%1:06:00::", "reproductive_structure%1:20:00::", "restraint%1:06:00::",
    "spermatophyte%1:20:00::", "support%1:06:00::", "surface%1:06:00::", "system%1:06:00::", "tissue%1:08:00::",
    "unit%1:17:00::", "way%1:06:00::", "work%1:06:00::",
)  # fmt: skip


class Nearness:
    """Decides whether another meaning is close to a gold meaning, and says why."""

    def __init__(self, wordnet: WordNet) -> None:
        self._wordnet = wordnet
        self._sizes: dict[str, int] = {}
        self._families, self._mankind, self._young, self._person, self._vague = (
            frozenset(wordnet.sense_ids[key] for key in keys if key in wordnet.sense_ids)
            for keys in (_FAMILIES, _MANKIND, _YOUNG, _PERSON, _VAGUE)
        )

    def size(self, synset: str) -> int:
        """Number of synsets at or below."""
        if synset not in self._sizes:
            self._sizes[synset] = sum(1 for _ in self._wordnet.descendants(synset))
        return self._sizes[synset]

    def says_enough(self, synset: Synset) -> bool:
        """Whether a meaning is special enough to be a near miss for what lies below it."""
        if synset.lexname == "tops":
            return synset.id in self._person
        if synset.id in self._vague:
            return False
        limit = _PARENT_SIZE.get(synset.lexname, _PARENT_SIZE_OTHER)
        return self.size(synset.id) <= limit

    def why_close(self, gold: Synset, other: Synset) -> str | None:
        """The reason, in short words, if `other` is close to `gold` (two different meanings); else None."""
        above_gold, above_other = self._wordnet.ancestors(gold.id), self._wordnet.ancestors(other.id)
        if other.id in above_gold:
            edges = above_gold[other.id]
            near = edges <= _PARENT_EDGES and self.says_enough(other)
            return f"more general, {edges} edge{'s' * (edges > 1)} above {gold.lemmas[0]}" if near else None
        if gold.id in above_other:
            edges = above_other[gold.id]
            near = edges <= _CHILD_EDGES and self.says_enough(gold)
            return f"more special, {edges} edge{'s' * (edges > 1)} below {gold.lemmas[0]}" if near else None
        if self._bears(gold, other) or self._bears(other, gold):
            return f"fruit and plant of one kind: {gold.lemmas[0]}, {other.lemmas[0]}"
        if self._is_young(gold, other) or self._is_young(other, gold):
            return f"young and grown of one kind: {gold.lemmas[0]}, {other.lemmas[0]}"
        return self._why_siblings(gold, other, above_gold, above_other)

    def _why_siblings(
        self, gold: Synset, other: Synset, above_gold: dict[str, int], above_other: dict[str, int]
    ) -> str | None:
        if (self._mankind & above_gold.keys()) != (self._mankind & above_other.keys()):
            return None
        shared = [above for above in above_gold if above in above_other]
        if family := next((above for above in shared if above in self._families), None):
            return f"both a kind of {self._wordnet.synsets[family].lemmas[0]}"
        for parent in sorted(shared, key=lambda above: (self.size(above), above)):
            up, down = above_gold[parent], above_other[parent]
            synset = self._wordnet.synsets[parent]
            small = self.size(parent) <= _SIBLING_SIZE.get(synset.lexname, _SIBLING_SIZE_OTHER)
            if small and max(up, down) <= 2 and up + down <= _SIBLING_EDGES and synset.lexname != "tops":
                return f"sibling of {gold.lemmas[0]} under {synset.lemmas[0]}"
        return None

    def _bears(self, fruit: Synset, plant: Synset) -> bool:
        """Whether `plant` bears the food `fruit`: WordNet makes the fruit a part of its plant (or of a kind of it)."""
        if fruit.lexname != "food" or plant.lexname != "plant":
            return False
        return any(self._wordnet.ancestors(whole).get(plant.id, 9) <= 1 for whole in fruit.wholes)

    def _is_young(self, young: Synset, grown: Synset) -> bool:
        """Whether `young` is a young animal that its definition calls one of `grown`: "young of domestic cattle"."""
        if grown.lexname != "animal" or not self._young & self._wordnet.ancestors(young.id).keys():
            return False
        kinds = (grown, *(self._wordnet.synsets[parent] for parent in grown.hypernyms))
        names = "|".join(re.escape(lemma) for kind in kinds if kind.lexname == "animal" for lemma in kind.lemmas)
        return re.search(rf"\b({names})s?\b", young.gloss, re.IGNORECASE) is not None
