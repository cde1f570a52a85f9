"""What a WordNet gloss says of a noun, cut into phrases that can stand behind the noun in a sentence.

"small Old World songbird with a reddish breast" gives the appositions "a small Old World songbird with a reddish
breast" and "a small Old World songbird", the detail "with a reddish breast" and the trait "small". There is no parser
and no language model here, only rules; what they cannot read with some certainty is left out.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from nounflow.text import canon, regular_plural, regular_singular, with_article, word_set

LONGEST = 13  # words of a phrase


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
_MOVABLE_STARTS = word_set("with having for that which whose native suitable")
_STARTS = _MOVABLE_STARTS | word_set(
    "of in on from to at by between under over through without near around into when where who during along after "
    "before within beneath above below across against so as wherein usually typically commonly normally widely being "
    "noted consisting containing resembling"
)
_MOVABLE_PARTICIPLES = word_set(
    "used made worn covered designed consisting containing resembling found noted served cooked eaten filled attached "
    "built equipped grown bred kept carried fitted composed intended operated powered driven played prepared fried "
    "baked flavored stuffed decorated shaped producing bearing supported mounted held drawn pulled propelled "
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
_SINGULAR_VERB = re.compile(r"^(?:that|which) (?:is|has|was|\w+[^s\W]s)\b")
_PLURAL_VERB = re.compile(r"^(?:that|which) (?!is\b|has\b|was\b)\w*[^s\W]\b")
_NUMBERED = re.compile(r"^(?:that|which|whose)\b|\b(?:its|their)\b")


@dataclass(frozen=True)
class GlossPhrases:
    """Phrases in order of appearance, without repetition; any of them may be empty."""

    singular: tuple[str, ...] = ()  # appositions to a singular: "a small songbird", "one of the wood warblers"
    plural: tuple[str, ...] = ()  # appositions to a plural: "small songbirds", "each a small songbird"
    singular_detail: tuple[str, ...] = ()  # behind a singular: "with a reddish breast", "that feeds on insects"
    plural_detail: tuple[str, ...] = ()
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
        part, of_many = _MANY.subn("", part)
        if not of_many:
            part = _KIND_OF.sub("", part)
        match = _DETERMINER.match(part)
        determiner = match[1].lower() if match and not of_many else ""
        words = (part[match.end() :] if match else part).split()
        if not match and _is_detail(words):  # "made from residue of grapes"
            yield from _details(self._shorten(words), plural=False)
            return
        head = self._head(words)
        if not head:
            return
        rest = [] if words[len(head) - 1].endswith(",") else words[len(head) :]
        noun = head[-1].lower()
        plural = self._is_plural(noun)
        sure = plural or bool(determiner) or self._known(noun)
        joined = bool({"and", "or"} & set(head))
        if not sure or (of_many and not plural) or (joined and not plural and not determiner):
            return
        if rest:
            whole = self._shorten([*head, *rest])
            if len(whole) > len(head):
                yield from self._appositions(whole, len(head), determiner, plural)
            yield from _details(self._shorten(rest), plural)
        if not rest or (len(head) > 1 and rest[0] != "of"):  # "a small bit" of food says too little
            yield from self._appositions(head, len(head), determiner, plural)
        for word in head[:-1]:
            if word.rstrip(",").lower() in self._traits:
                yield "traits", word.rstrip(",").lower()

    def _appositions(self, words: list[str], n_head: int, determiner: str, plural: bool) -> Iterator[tuple[str, str]]:
        if not 2 <= len(words) <= LONGEST:
            return
        text, head = " ".join(words), words[:n_head]
        if plural:
            yield "plural", text
            yield "singular", f"one of the {text}"
        elif head[-1].lower() in self._uncountable and determiner not in ("a", "an"):
            yield "singular", text
            yield "plural", text
        elif determiner == "the":
            if len(words) > n_head:  # "the young" by itself says nothing
                yield "singular", f"the {text}"
        else:
            yield "singular", with_article(text)
            if len(words) == n_head and not {"and", "or"} & set(head):
                yield "plural", " ".join([*words[:-1], regular_plural(words[-1])])
            else:
                yield "plural", f"each {with_article(text)}"

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


def _details(words: list[str], plural: bool) -> Iterator[tuple[str, str]]:
    """The phrase behind the head as a detail of the explained noun, if it can move there."""
    if len(words) < 2 or words[0].lower() not in _MOVABLE_STARTS | _MOVABLE_PARTICIPLES:
        return
    text = " ".join(words)
    if not _NUMBERED.search(text):
        yield "singular_detail", text
        yield "plural_detail", text
    elif plural and not _SINGULAR_VERB.match(text):
        yield "plural_detail", text
    elif not plural and not _PLURAL_VERB.match(text):
        yield "singular_detail", text
