"""Singular and plural of a noun, one word or many; what cannot be shown to exist is not made up."""

import functools
import re
from collections.abc import Callable, Collection, Mapping

from nounflow.nouns.frequencies import Frequencies
from nounflow.nouns.rules import Rules
from nounflow.text import canon, regular_plural, regular_singular
from nounflow.wordnet import WordNet

# "bird of paradise": what follows one of these does not inflect.
_AFTER_HEAD = frozenset({"of", "in", "on", "at", "for", "to", "with", "from", "under", "over", "de", "du", "des", "la"})
_JOINERS = frozenset({"and", "or", "&", "n", "'n'"})  # "bow and arrow": two heads
_NOT_PLURAL_ENDINGS = ("ss", "us", "is", "as", "os")
# A plural rarer than this beside its singular is a slip ("furnitures"), so the noun is a mass noun.
_PLURAL_SHARE = 0.01
# Of several plurals, those at least this frequent beside the commonest are kept ("hooves", "hoofs").
_RIVAL_SHARE = 0.25
# Relative to "the". A plural that neither source holds is rarer than 2e-7, a twentieth of this.
_SURELY_SEEN = 4e-6


class Inflector:
    """Plurals from WordNet's irregular list, else from `inflect`, checked against real frequencies."""

    def __init__(self, wordnet: WordNet, rules: Rules, frequencies: Frequencies) -> None:
        self._irregular = wordnet.irregular_plurals
        self._exceptions = wordnet.exceptions
        self._known = wordnet.index
        self._frequencies = frequencies
        self._set_shares = rules.set_shares
        self._singular_s = frozenset(rules.singular_s.words if rules.singular_s else ())
        self._mass = frozenset(rules.mass.words if rules.mass else ())
        self._plurals_of_word = functools.cache(self._word_plurals)

    def is_plural(self, noun: str) -> bool:
        """True where the entry itself is a plural: "scissors", "false teeth", "brussels sprouts"."""
        if noun in self._singular_s:
            return False
        head = _split_head(noun)[1]
        if head in self._singular_s or head != head.lower():
            return False
        if head in self._exceptions:
            return not self._has_own_sense(head)  # "dice" is the plural of "die", "cola" not that of "colon"
        if len(head) < 4 or not head.endswith("s") or head.endswith(_NOT_PLURAL_ENDINGS):
            return False
        return regular_singular(head) is not None

    def plurals(self, noun: str) -> tuple[str, ...]:
        """Plurals of a singular, commonest first; empty for mass nouns, taxa and whatever cannot be inflected."""
        if noun in self._mass or "/" in noun or _is_latin(noun, self._known):
            return ()
        before, head, after = _split_head(noun)
        if head != noun and noun in self._irregular:  # "jacks-in-the-box"
            return tuple(plural for plural in self._irregular[noun] if "'" not in plural or "'" in noun)[:1]
        if set(re.split(r"[ -]", noun)) & _JOINERS or head in self._mass:
            return ()
        return tuple(before + plural + after for plural in self._plurals_of_word(head))

    def _word_plurals(self, word: str) -> tuple[str, ...]:
        if word.isupper() or not word[-1:].isalpha() or not word.isascii():
            return ()
        # WordNet's list has slips ("street" for "child"), hence the first letter; `inflect` writes "banjoes".
        candidates = [form for form in self._irregular.get(word, ()) if form[0] == word[0] and "'" not in form]
        regular = [regular_plural(word), *([f"{word}s"] if word.endswith("o") else [])]
        candidates += [form for form in regular if not (word.endswith("s") and form == f"{word}s")]
        frequency = {form: self._frequencies(form) for form in candidates}
        best = max(frequency.values(), default=0.0)
        if not self._countable(word, best):
            return ()
        if not best:  # no evidence for any: trust the irregular list before the rule
            return tuple(candidates[:1])
        kept = [form for form in frequency if frequency[form] >= _RIVAL_SHARE * best]
        return tuple(sorted(kept, key=lambda form: (-frequency[form], form)))

    def _countable(self, word: str, plural: float) -> bool:
        """False where the plural is so rare beside the singular that it must be a slip ("furnitures")."""
        singular = self._frequencies(word) * self._set_shares.get(word, 1.0)  # "can" is mostly no noun
        return plural >= _PLURAL_SHARE * singular if plural else singular < _SURELY_SEEN

    def _has_own_sense(self, plural: str) -> bool:
        """True where WordNet gives a plural-looking word a sense that its singulars lack."""
        shared = {sense for singular in self._exceptions[plural] for sense in self._known.get(singular, ())}
        return not shared.issuperset(self._known.get(plural, ()))


def _split_head(noun: str) -> tuple[str, str, str]:
    """(text before, head word, text after): "bird of paradise" -> ("", "bird", " of paradise")."""
    for separator in (" ", "-"):
        parts = noun.split(separator)
        for i in range(1, len(parts) - 1):
            if parts[i].lower() in _AFTER_HEAD:
                head = separator.join(parts[:i])
                before, word, _ = _split_head(head)
                return before, word, noun[len(head) :]
        if len(parts) > 1:
            before, word, after = _split_head(parts[-1])
            return noun[: len(noun) - len(parts[-1])] + before, word, after
    return "", noun, ""


def _is_latin(noun: str, known: Mapping[str, object] | Collection[str]) -> bool:
    """Names of taxa: "genus Canis", "family Felidae", "Canis familiaris"."""
    words = noun.split(" ")
    if len(words) == 1:
        return False
    if words[-1][:1].isupper() and words[0] in _RANKS:
        return True
    return words[0][:1].isupper() and words[-1].islower() and words[-1].isalpha() and words[-1] not in known


_RANKS = frozenset(
    f"{prefix}{rank}" for prefix in ("", "sub", "super") for rank in ("genus", "family", "order", "class")
) | {"phylum", "subphylum", "division", "subdivision", "kingdom", "suborder", "tribe", "section"}


def form_shares(
    singulars: tuple[str, ...], plurals: tuple[str, ...], frequency: Callable[[str], float], prior: float
) -> tuple[list[float], list[float]]:
    """Share of each form in the noun's use; all of them sum to 1.

    `prior` is a frequency added to the singulars (0.7 of it) and to the plurals (0.3) so that no form has share 0;
    spellings with one canon ("x-ray", "x ray"), and a plural equal to its singular ("sheep"), part its use.
    """
    forms = [*singulars, *plurals]
    names = [canon(form) for form in forms]
    priors = [prior * (0.7 / len(singulars)) for _ in singulars] + [prior * (0.3 / len(plurals)) for _ in plurals]
    raw = [frequency(form) / names.count(name) + own for form, name, own in zip(forms, names, priors, strict=True)]
    shares = [value / sum(raw) for value in raw]
    return shares[: len(singulars)], shares[len(singulars) :]
