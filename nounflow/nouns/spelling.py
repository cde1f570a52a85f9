"""Other spellings of a noun: American and British ("gray wolf", "grey wolf"), open and closed ("fire truck")."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from nounflow.nouns.inflection import is_latin
from nounflow.text import canon, word_set

# A closed or open spelling this frequent beside the other one is in use.
_IN_USE = 0.05
_SHORTEST = 3  # letters of a part of a closed compound
_PARTICLES = word_set("out over off up down in on")  # "turnover" is no "turn over"


@dataclass(frozen=True)
class Words:
    """What is known of the words that spellings are made of."""

    frequency: Callable[[str], float]
    written: Collection[str]  # words of running text; lists of web words hold addresses, too: "firingsquad"
    pairs: Mapping[str, float]  # "book shop" -> frequency of these two words side by side
    known: Collection[str]  # words of WordNet
    taken: Collection[str]  # canons that are nouns of their own
    left_out: Collection[str] = ()  # closed words of another meaning


class Spellings:
    """Variants of spellings from a table of word pairs, American -> British."""

    def __init__(self, pairs: Mapping[str, str], lead: str = "american", uncounted: bool = False) -> None:
        """
        Args:
            lead: which of two spellings of a noun leads, "american" or "british".
            uncounted: also give spellings that no list of frequencies tells apart: "black tailed deer", "siamese cat".
        """
        self._other = dict(pairs) | {british: american for american, british in pairs.items()}
        self._british = lead == "british"
        self._leading = frozenset(pairs.values() if self._british else pairs)
        self._uncounted = uncounted

    def dialects(self, form: str) -> str | None:
        """The form as the other side of the Atlantic writes it, None if it is written alike."""
        words = form.split(" ")
        other = [self._other.get(word, word) for word in words]
        return None if other == words else " ".join(other)

    def leads(self, form: str, rival: str) -> bool:
        """Whether two nouns differ only by dialect, and the first is written in the leading one."""
        return self.dialects(form) == rival and any(word in self._leading for word in form.split(" "))

    def led(self, noun: str, forms: Collection[str]) -> str:
        """The noun as Britain writes it, where that leads and is one of its forms; WordNet's nouns are American."""
        other = self.dialects(noun)
        return other if other and self._british and other in forms and self.leads(other, noun) else noun

    def variants(self, forms: tuple[str, ...], meaning: Collection[str], words: Words) -> tuple[str, ...]:
        """The forms, and behind them their other spellings that are no noun of their own.

        `meaning`: words of the noun's gloss and of what stands above it; a closed compound is only opened before one.
        """
        found = list(forms)
        for form in forms:
            found += filter(None, (self.dialects(form), _closed(form, words), _open(form, meaning, words)))
        if self._uncounted:
            found += [other for form in tuple(found) for other in _uncounted(form, meaning, words)]
        names = set(map(canon, forms))
        free = (form for form in dict.fromkeys(found) if canon(form) in names or canon(form) not in words.taken)
        return tuple(free)


def _closed(form: str, words: Words) -> str | None:
    """ "firetruck" for "fire truck", if it is in use."""
    closed = _joined(form, words) if form.count(" ") == 1 else None
    return closed if closed and words.frequency(closed) > _IN_USE * words.frequency(form) > 0 else None


def _joined(form: str, words: Words) -> str | None:
    """A form without spaces and hyphens, where texts hold it as a word of this meaning."""
    closed = form.replace(" ", "").replace("-", "")
    in_texts = closed in words.written or closed.removesuffix("s") in words.written
    return closed if in_texts and closed not in words.left_out else None


def _open(form: str, meaning: Collection[str], words: Words, uncounted: bool = False) -> str | None:
    """ "book shop" for "bookshop", which is a shop, if it is in use, or `uncounted`."""
    if not form.isalpha() or form != form.lower():
        return None
    for cut in range(len(form) - _SHORTEST, _SHORTEST - 1, -1):
        first, last = form[:cut], form[cut:]
        if first not in words.known:
            continue
        numbers = [(last, form)] + ([(last[:-1], form[:-1])] if last.endswith("s") else [])
        for head, closed in numbers:  # "book shops" where "book shop" is in use
            if len(head) < _SHORTEST or head not in words.known or head in _PARTICLES:  # "man ors", "pull overs"
                continue
            in_use = words.pairs.get(f"{first} {head}", 0.0) > _IN_USE * words.frequency(closed)
            if head in meaning and (in_use or uncounted):
                return f"{first} {last}"
    return None


def _uncounted(form: str, meaning: Collection[str], words: Words) -> Iterator[str]:
    """The form without hyphens, apostrophes, or the capitals of kinds that are no taxa; compounds in each way."""
    if opened := _open(form, meaning, words, uncounted=True):
        yield from (opened, opened.replace(" ", "-"))
    yield form.replace("-", " ")
    yield form.replace("'", "").replace(".", "")
    if not is_latin(form, words.known) and not any(part.isupper() for part in form.replace("-", " ").split()):
        yield form.lower()
    parts = form.replace("-", " ").split(" ")
    if len(parts) != 2 or not "".join(parts).isalpha() or form != form.lower():
        return
    if closed := _joined(form, words):
        yield closed
    if closed or words.pairs.get(" ".join(parts), 0.0) > 0:
        yield "-".join(parts)
