"""What a word usually means in front of a picture: which of its senses the judge takes for it."""

from nounflow.senses import WordSenses
from nounflow.wordnet import Synset

NAMED_KINDS = frozenset({"animal", "plant", "food", "artifact"})
OTHER_KINDS = frozenset({"object", "body", "person", "phenomenon", "substance", "tops"})
OBJECT_KINDS = NAMED_KINDS | OTHER_KINDS

# A sense is rare when (its count + 1) x this factor is below or at (the commonest object sense's count + 1). The tagged
# texts are novels and news, where animals and plants are seldom seen (seal: wax 3, animal 0), so these need more proof.
_RARE_LIVING, _RARE_OTHER = 10, 3
_LIVING = frozenset({"animal", "plant", "food"})


def usual_senses(words: WordSenses, noun: str, kinds: frozenset[str] = OBJECT_KINDS) -> list[Synset]:
    """Meanings that name a kind of thing, without proper names and without those that are rare for this noun.

    Where the noun also names an animal, a plant, food or an artifact, a person is meant only if most often so.
    """
    counted = [(words.wordnet.synsets[sense], count) for sense, count in words.meanings(noun).items()]
    counted = [(synset, count) for synset, count in counted if synset.lexname in kinds and not synset.is_instance]
    most = max((count for _, count in counted), default=0)
    named = any(synset.lexname in NAMED_KINDS for synset, _ in counted)
    return [s for s, n in counted if (n == most and most) or not _is_rare(n, most, s.lexname, named)]


def default_sense(words: WordSenses, noun: str) -> Synset | None:
    """What a label without a sense key means.

    The commonest usual sense among animals, plants, food and artifacts; else among other objects; else the first.
    """
    counts = words.meanings(noun)
    usual = usual_senses(words, noun)
    for kinds in (NAMED_KINDS, OTHER_KINDS):
        if among := [synset for synset in usual if synset.lexname in kinds]:
            return max(among, key=lambda synset: counts[synset.id])  # the first of equals
    return words.wordnet.synsets[next(iter(counts))] if counts else None


def _is_rare(count: int, most: int, lexname: str, named: bool) -> bool:
    if lexname == "person" and named:
        return True  # the doll, peach and baggage that slang makes of a woman
    factor = _RARE_LIVING if lexname in _LIVING else _RARE_OTHER
    return (count + 1) * factor <= most + 1
