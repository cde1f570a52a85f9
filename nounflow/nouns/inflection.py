"""How a noun is written: display form, singulars, plurals, and whether it is counted."""

import functools
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from nounflow.nouns.frequencies import Frequencies
from nounflow.nouns.inflection_lists import Countability, InflectionLists
from nounflow.text import canon, regular_plural, regular_singular, word_set
from nounflow.wordnet import Synset, WordNet

# "bird of paradise": what follows one of these does not inflect.
_AFTER_HEAD = word_set("of in on at for to with from under over de du des la a al au en")
_PLACES = word_set("arizona")  # genera, too: an Arizona ash is no snake
_DRINKS = word_set("gin vodka whiskey whisky rum brandy scotch")  # gin and tonics
_NOT_PLURAL_ENDINGS = ("ss", "us", "is", "as", "os")
# Of several plurals, those at least this frequent beside the commonest are kept ("hooves", "hoofs").
_RIVAL_SHARE = 0.15
_FURTHER = 0.2  # what a further spelling of one canon gets, where the first gets 1
# Plurals as a share of the singular: from here on a noun of a mass class has both, and is counted.
_BOTH, _COUNTED = 0.08, 0.6
_INITIALS = re.compile(r"\b(?:[A-Z]\.){2,}")


@dataclass(frozen=True)
class NounForms:
    """All that is written for one noun."""

    noun: str  # display form
    singulars: tuple[str, ...]
    plurals: tuple[str, ...]  # commonest first
    countability: Countability


class Inflector:
    """Forms from the lists, else from WordNet's irregular plurals, else by `inflect`, checked against frequencies."""

    def __init__(
        self,
        wordnet: WordNet,
        lists: InflectionLists,
        frequencies: Frequencies,
        known_uses: Mapping[str, Countability] | None = None,
    ) -> None:
        """`known_uses`: countability of nouns in small letters, before what the lists say."""
        self._wordnet, self._frequencies = wordnet, frequencies
        self._irregular, self._exceptions, self._known = wordnet.irregular_plurals, wordnet.exceptions, wordnet.index
        self._listed = lists.plurals_of()
        self._uses = lists.countability()
        self._known_uses = known_uses or {}
        self._pairs, self._singular_s = lists.words("pairs"), lists.words("singular_s")
        self._plural_only = lists.words("plural_only")
        self._capitals, self._display = lists.words("capitals"), lists.display
        self._mass_marks: dict[str, bool] = {}  # synset id or class -> stuff, not things
        for rules, is_mass in ((lists.mass_below, True), (lists.count_below, False)):
            for rule in rules:
                self._mass_marks |= {wordnet.by_sense_key(key).id: is_mass for key in rule.senses}
                self._mass_marks |= dict.fromkeys(rule.kinds, is_mass)
        self._plurals_of_word = functools.cache(self._word_plurals)

    def forms(self, spellings: Iterable[str], synset: Synset | None = None) -> NounForms:
        """Forms of a noun from WordNet's spellings of it, the leading one first; `synset`: what it means."""
        shown = tuple(dict.fromkeys(self.display(spelling) for spelling in spellings))
        shown = tuple(spelling for spelling in shown if spelling == spelling.lower()) or shown
        before, head, after = _split_head(shown[0])
        if head.lower() in self._pairs:  # "tweezer", shown as "tweezers"
            plural = head if regular_singular(head) else regular_plural(head)  # no "snufferss"
            noun = f"{before}{plural}{after}"
            return NounForms(noun, (), (noun,), "plural")
        singulars = tuple(spelling for spelling in shown if not self.is_plural(spelling))
        plurals = [spelling for spelling in shown if spelling not in singulars]
        if not singulars:
            return NounForms(shown[0], (), tuple(plurals), "plural")
        countability = self.countability(singulars[0], synset)
        if countability != "mass":
            for singular in singulars:
                plurals += self.plurals(singular)
        return NounForms(shown[0], singulars, tuple(dict.fromkeys(plurals)), countability)

    def display(self, spelling: str) -> str:
        """How WordNet's spelling is written today: "SUV" for "S.U.V.", "TV" for "tv"."""
        if listed := self._display.get(canon(spelling)):
            return listed
        spelling = _INITIALS.sub(lambda match: match[0].replace(".", ""), spelling)
        return "".join(self._capitals.get(part.lower(), part) for part in re.split(r"([ ])", spelling))

    def is_plural(self, noun: str) -> bool:
        """True where the entry itself is a plural: "scissors", "false teeth", "brussels sprouts"."""
        head = _split_head(noun)[1]
        if known := self._known_uses.get(noun.lower()):
            return known == "plural"
        for word in (noun.lower(), head.lower()):
            if word in self._plural_only:
                return True
            if word in self._singular_s or word in self._listed or word in self._uses:
                return False
        if head != head.lower() or is_latin(noun, self._known):
            return False
        if head in self._exceptions:
            return not self._has_own_sense(head)  # "cola" is not the plural of "colon"
        if len(head) < 4 or not head.endswith("s") or head.endswith(_NOT_PLURAL_ENDINGS):
            return False
        return regular_singular(head) is not None

    def countability(self, noun: str, synset: Synset | None = None) -> Countability:
        """Whether a singular takes a or an ("count"), "some" ("mass", with a plural "both") or nothing ("name").

        What the lists say of the noun comes first, then what they say of its last word, then the nearest sense above
        it that they mark as stuff or things, checked against the use of its plural. Animals and persons are counted.
        """
        if _is_rank(noun):
            return "name"
        if use := self._known_uses.get(noun.lower()) or self._uses.get(noun.lower()):
            return use
        if synset is not None and synset.lexname in ("animal", "person"):
            return "count"
        use = self._uses.get(_split_head(noun)[1].lower())
        if use or synset is None:
            return use or "count"
        marks = (self._mass_marks[sense] for sense in self._wordnet.ancestors(synset.id) if sense in self._mass_marks)
        if not next(marks, self._mass_marks.get(synset.lexname, False)):
            return "count"
        singular, plural = self._frequencies(noun), max(map(self._frequencies, self.plurals(noun)), default=0.0)
        if plural >= _COUNTED * singular > 0:
            return "count"
        return "both" if plural >= _BOTH * singular > 0 else "mass"

    def plurals(self, noun: str) -> tuple[str, ...]:
        """Plurals of a singular that is counted, commonest first; none for taxa and what cannot be inflected."""
        if (listed := self._listed.get(noun.lower())) is not None:
            return listed
        if "/" in noun or is_latin(noun, self._known):
            return ()
        before, head, after = _split_head(noun)
        if head != noun and noun in self._irregular:  # "jacks-in-the-box"; but "comics" is no plural of "comic strip"
            whole = [plural for plural in self._irregular[noun] if len(plural.split()) == len(noun.split())]
            if sound := [plural for plural in whole if "'" not in plural or "'" in noun]:
                return (sound[0],)
        if before.endswith((" and ", "-and-")):  # two heads: bows and arrows
            first, joint = before[:-5], before[-5:]
            if first.lower() not in _DRINKS and self.countability(first) == "count":
                before = f"{(self.plurals(first) or (first,))[0]}{joint}"
        return tuple(before + plural + after for plural in self._plurals_of_word(head))

    def _word_plurals(self, word: str) -> tuple[str, ...]:
        if (listed := self._listed.get(word.lower())) is not None:
            return tuple(form.capitalize() if word[0].isupper() else form for form in listed)
        if not word[-1:].isalpha() or word.isupper():
            return () if len(word) < 2 or not word[-1:].isalnum() else (f"{word}s",)  # LEDs, B-52s
        if word[0].isupper() and self.is_plural(word.lower()):  # "Stars and Stripes"
            return (word,)
        # WordNet's list has slips ("street" for "child"), hence the first letter.
        candidates = [form for form in self._irregular.get(word, ()) if form[0] == word[0] and "'" not in form]
        candidates += [f"{word}s"] if word.endswith("o") else []  # `inflect` writes "banjoes"
        candidates += [_mended(word, regular_plural(word))]
        candidates += [f"{word}s"] if word.endswith("man") else []  # talismans
        frequency = {form: self._frequencies(form) for form in candidates}
        best = max(frequency.values())
        if not best:  # no evidence for any: trust the irregular list before the rule
            return tuple(candidates[:1])
        kept = [form for form in frequency if frequency[form] >= _RIVAL_SHARE * best]
        return tuple(sorted(kept, key=lambda form: (-frequency[form], form)))

    def _has_own_sense(self, plural: str) -> bool:
        """True where WordNet gives a plural-looking word a sense that its singulars lack."""
        shared = {sense for singular in self._exceptions[plural] for sense in self._known.get(singular, ())}
        return not shared.issuperset(self._known.get(plural, ()))


def _mended(word: str, plural: str) -> str:
    """The regular plural without the slips of `inflect`: "waltzzes", "clematiss", "Maries"."""
    if word[0].isupper() and word.endswith("y") and plural.endswith("ies"):
        return f"{word}s"
    if plural == f"{word}s" and word.endswith(("s", "x", "z", "sh")):
        return f"{word}es"
    return f"{word}es" if plural == f"{word}zes" and word.endswith("tz") else plural


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


def is_latin(noun: str, known: Mapping[str, object] | Collection[str]) -> bool:
    """Names of taxa: "genus Canis", "family Felidae", "Canis familiaris"."""
    words = noun.split(" ")
    if len(words) == 1:
        return False
    if _is_rank(noun):
        return True
    if not words[0][:1].isupper() or not words[-1].islower():
        return False
    genus = words[0].lower()  # "Bufo bufo", though "bufo" is a word
    return (f"genus {genus}" in known and genus not in _PLACES) or (words[-1].isalpha() and words[-1] not in known)


def _is_rank(noun: str) -> bool:
    first, _, name = noun.rpartition(" ")
    return first in _RANKS and name[:1].isupper()


_RANKS = frozenset(
    f"{prefix}{rank}" for prefix in ("", "sub", "super") for rank in ("genus", "family", "order", "class")
) | {"phylum", "subphylum", "division", "subdivision", "kingdom", "suborder", "tribe", "section"}


def form_shares(
    singulars: tuple[str, ...], plurals: tuple[str, ...], frequency: Callable[[str], float], prior: float
) -> tuple[list[float], list[float]]:
    """Share of each form in the noun's use; all of them sum to 1.

    `prior` is a frequency added to the singulars (0.7 of it) and to the plurals (0.3) so that no form has share 0;
    a plural equal to its singular ("sheep"), and spellings with one canon part its use, the first of a number before
    the others ("X-ray" before "x ray"), which no list counts apart.
    """
    forms = [*singulars, *plurals]
    names = [canon(form) for form in forms]
    parts = [_part(number, i) for number in (singulars, plurals) for i in range(len(number))]
    whole = {name: sum(part for part, other in zip(parts, names, strict=True) if other == name) for name in names}
    priors = [prior * own for own in _priors(parts, len(singulars))]
    raw = [
        frequency(form) * part / whole[name] + own
        for form, name, part, own in zip(forms, names, parts, priors, strict=True)
    ]
    shares = [value / sum(raw) for value in raw]
    return shares[: len(singulars)], shares[len(singulars) :]


def _part(forms: tuple[str, ...], i: int) -> float:
    """What a form gets of its canon's use in its number, before it is shared out."""
    return 1.0 if canon(forms[i]) not in map(canon, forms[:i]) else _FURTHER


def _priors(parts: list[float], singulars: int) -> list[float]:
    """0.7 over the singulars and 0.3 over the plurals, as the forms' parts are."""
    ones, many = sum(parts[:singulars]), sum(parts[singulars:])
    return [0.7 * part / ones for part in parts[:singulars]] + [0.3 * part / many for part in parts[singulars:]]
