"""What a WordNet gloss says of a noun, cut into short phrases that can stand beside the noun in a sentence.

"small Old World songbird with a reddish breast" gives the trait "small" and the feature "reddish breast"; "a shop
selling wine" nothing. Captions show a thing and do not define it, so there is no phrase of more than three words. There
is no parser and no language model here, only rules; what they cannot read with some certainty is left out.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from nounflow.text import canon, regular_singular, word_set

LONGEST = 3  # words of a phrase


_PARENTHESES = re.compile(r"\s*[(\[][^()\[\]]*[)\]]")
_TAXON = re.compile(
    r",?\s+(?:of|in|belonging to|constituting) (?:the |a )?(?:\w+ )?(?:genus|genera|family|families|order|class|phylum|"
    r"subfamily|suborder|superfamily|tribe|section)\s+[A-Z]\w+(?:(?:,| and| or) [A-Z]\w+)*"
)
_UNREADABLE = re.compile(  # talk about words, quotations, Latin ranks
    r"[`\"“”:=/()\[\]]|'[^s]|\b(?:terms?|slang|trade ?names?|names?|named|called|word|abbreviation|spelling|e\.g|i\.e|"
    r"genus|genera|family|order|phylum|taxonomic|formerly|distinguished|related|members?|this|these|here|there|see|"
    r"cf|you|your|his|her|him|he|she)\b",
    re.IGNORECASE,
)
_BREAK = re.compile(  # what follows is a remark, or points back
    r"[,\s]+(?:and |or )?(?:especially|including|allegedly|sometimes|often|similar|same|another|other|such|etc|but|it|"
    r"they|them|also|said|supposedly|and which|and that|so that|in which|to which|on which|by which|from which|"
    r"of which|with which|through which|at which|into which|for which|whereby)\b.*",
    re.IGNORECASE,
)
_ADVERBS = re.compile(
    r"\b(?:usually|generally|chiefly|mainly|mostly|loosely|typically|commonly|normally|primarily|at one time|"
    r"originally|now|widely|highly),?\s+",
    re.IGNORECASE,
)
_MANY = re.compile(
    r"^(?:any|either|one|some) of (?:the |a )?(?:various |numerous |several |many |certain |two |three |number of |"
    r"class of |group of |large group of )*",
    re.IGNORECASE,
)
_KIND_OF = re.compile(
    r"^(?:a|an|any|the)?\s*(?:kind|type|sort|variety|form|species|breed|style|piece|item|article) of (?:an? )?",
    re.IGNORECASE,
)
_DETERMINER = re.compile(r"^(a|an|any|one|the)\s+", re.IGNORECASE)
# A phrase behind a head noun begins with one of these words; those of the two _MOVABLE sets fit behind another noun.
_MOVABLE_STARTS = word_set("with")
_STARTS = _MOVABLE_STARTS | word_set(
    "having of in on from to at by between under over through without near around into when where who during "
    "along after before within beneath above below across against so as wherein usually typically commonly "
    "normally widely being noted consisting containing resembling"
)
_MOVABLE_PARTICIPLES = word_set(
    "used made worn covered designed consisting containing resembling found noted served cooked eaten filled attached "
    "built equipped grown bred composed operated powered driven prepared fried "
    "baked flavored stuffed decorated shaped producing bearing supported mounted drawn pulled propelled "
    "cultivated raised living growing inhabiting"
)
_IRREGULAR_PARTICIPLES = word_set("set taken cut hung sold fed laid sent put given dug spun woven sewn cast")
_BARE_STARTS = word_set("with having for from by of in on to at as aside")  # behind a participle: "made from"
_DANGLING = _STARTS | word_set(
    "a an the and or is are was be been not very more most can may has have than its their if used made some each "
    "both either any no little much many few less only up off out down"
)
_PLURAL_WITHOUT_S = word_set("men women children teeth feet geese mice people cattle oxen lice fungi algae")
_PLURAL_ONLY = word_set("goods clothes viscera")
_NOT_IN_HEAD = word_set(
    "is are was were be can may has have had than a an the all each every not nor if something someone anything"
)


@dataclass(frozen=True)
class GlossPhrases:
    """Phrases in order of appearance, without repetition; any of them may be empty."""

    details: tuple[str, ...] = ()  # behind the noun: "made of wood", "with a handle"
    features: tuple[str, ...] = ()  # behind its or their: "reddish breast"
    traits: tuple[str, ...] = ()  # adjectives of the gloss that may stand before the noun: "small"


class GlossReader:
    """Reads glosses with a list of words known to be nouns, a list of adjectives and one of uncountable nouns."""

    def __init__(self, nouns: Iterable[str], traits: Iterable[str], uncountable: Iterable[str]) -> None:
        self._traits = frozenset(traits)
        self._uncountable = frozenset(uncountable)
        self._nouns = frozenset(canon(noun).rpartition(" ")[2] for noun in nouns) | self._uncountable

    def read(self, gloss: str, forms: Iterable[str]) -> GlossPhrases:
        """Phrases of a gloss for a noun with the given written forms; a part that contains the noun is left out."""
        own = [f" {canon(form)} " for form in forms]
        collected: dict[str, dict[str, None]] = {name: {} for name in GlossPhrases.__dataclass_fields__}
        for part in _parts(gloss):
            if any(form in f" {canon(part)} " for form in own):
                continue
            for name, phrase in self._phrases(part):
                collected[name].setdefault(phrase)
        return GlossPhrases(**{name: tuple(phrases) for name, phrases in collected.items()})

    def _phrases(self, part: str) -> Iterator[tuple[str, str]]:
        """(field of `GlossPhrases`, phrase) of one part of a gloss."""
        part = _DETERMINER.sub("", _KIND_OF.sub("", _MANY.sub("", part)))
        words = part.split()
        head = [] if _is_detail(words) else self._head(words)
        rest = words[len(head) :]
        if (not head and not _is_detail(words)) or (head and words[len(head) - 1].endswith(",")):
            rest = []
        if rest[:1] and rest[0].lower() in ("with", "having") and (feature := self._feature(rest[1:])):
            yield "features", feature
        detail = self._shorten(rest)
        if len(detail) > 1 and _is_detail(detail):
            yield "details", " ".join(detail)
        for word in head[:-1]:
            if word.rstrip(",").lower() in self._traits:
                yield "traits", word.rstrip(",").lower()

    def _feature(self, words: list[str]) -> str | None:
        """Up to three words up to the first noun: "a reddish breast and ..." -> "reddish breast"."""
        words = words[1:] if words[:1] and words[0] in ("a", "an", "the", "its") else words
        for n, word in enumerate(words[:LONGEST], 1):
            following = words[n].lower() if n < len(words) else ""
            if word.lower().rstrip(",") in _DANGLING:
                return None
            ends = word.endswith(",") or following in _STARTS | {"", "and", "or"} or _is_participle(following)
            if ends and self._is_noun(word.lower().rstrip(",")):
                return " ".join(words[:n]).rstrip(",") if n > 1 else None
        return None

    def _head(self, words: list[str]) -> list[str]:
        """The words up to the head noun, without a comma behind it; empty if there is no clear one."""
        lower = [*map(str.lower, words), "", ""]
        for i, word in enumerate(words):
            bare, following, behind = lower[i].rstrip(","), lower[i + 1], lower[i + 2]
            if bare in _NOT_IN_HEAD:
                return []
            nominal = self._is_noun(bare)
            if word.endswith(",") and nominal:
                return [*words[:i], word.rstrip(",")]
            verbal = (
                _is_participle(following)
                or (following in _IRREGULAR_PARTICIPLES and behind in _BARE_STARTS)
                or (following.endswith("ing") and not self._known(following))  # "a shop selling wine"
                or (following.endswith("ly") and _is_participle(behind))
            )
            if not following or following in _STARTS or (nominal and verbal):
                sound = not word.endswith(",") and bare not in _DANGLING and i < 8
                sound &= nominal or not bare.endswith(("ed", "ly"))
                return words[: i + 1] if sound else []
        return []

    def _shorten(self, words: list[str]) -> list[str]:
        """At most `LONGEST` words, ended behind a noun; empty if there is no such place."""
        for i, word in enumerate(words):
            if word.endswith(",") and i >= 2:
                words = [*words[:i], word.rstrip(",")]
                break
        for n in range(min(len(words), LONGEST), 1, -1):
            before, last = words[n - 2].lower(), words[n - 1].lower()
            if last in _DANGLING:
                continue
            nominal = self._is_noun(last)
            if last.endswith(("ed", "ly")) and not nominal and self._is_noun(before):
                continue  # the participle of a clause that was cut: "a sausage of pork smoked"
            if n == len(words) or (nominal and (words[n].lower() in _STARTS or _is_participle(words[n].lower()))):
                return words[:n]
        return []

    def _known(self, word: str) -> bool:
        """Whether a word is a noun of the list, or ends in one of four letters or more: "songbird"."""
        last = canon(word).rpartition(" ")[2]
        return last in self._nouns or any(last[i:] in self._nouns for i in range(2, len(last) - 3))

    def _is_noun(self, word: str) -> bool:
        return self._known(word) or self._is_plural(word)

    def _is_plural(self, word: str) -> bool:
        if word in _PLURAL_ONLY:
            return True
        if (not word.endswith("s") and word not in _PLURAL_WITHOUT_S) or word in self._uncountable:
            return False
        singular = regular_singular(word)
        return singular is not None and self._known(singular)


def _parts(gloss: str) -> list[str]:
    """Parts between semicolons, without brackets and taxa; those that talk about words are left out."""
    previous = None
    while previous != gloss:
        previous, gloss = gloss, _PARENTHESES.sub("", gloss)
    # the "which" put in place of a remark makes the reader end the phrase behind a noun before it
    parts = (_ADVERBS.sub("", _BREAK.sub(" which", _TAXON.sub("", part.strip()))) for part in gloss.split(";"))
    tidy = (" ".join(part.replace(" ,", ",").split()).rstrip(".,") for part in parts)
    return [part for part in tidy if part and not _UNREADABLE.search(part)]


def _is_detail(words: list[str]) -> bool:
    """Whether a part begins as what stands behind a noun: "made from ...", "with ..."."""
    first, second, *_ = [*map(str.lower, words), "", ""]
    return first in _MOVABLE_STARTS or (first in _MOVABLE_PARTICIPLES and second in _BARE_STARTS)


def _is_participle(word: str) -> bool:
    return word in _MOVABLE_PARTICIPLES or word.endswith("ed")
