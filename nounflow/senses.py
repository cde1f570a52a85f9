"""From written forms to meanings: the one place where words are looked up.

`WordSenses` asks WordNet: which senses a word has, how often it is used in each, of what it may be the plural.
`LexiconForms` asks a lexicon and needs no WordNet: which of its nouns a form may stand for, and how two are related.

Forms are looked up by `nounflow.text.canon`, so case, hyphens, dots and apostrophes do not count. Meanings are compared
by their synset ids ("n02084071"), never by words or glosses. Ids are those of one WordNet version; sense keys
("dog%1:05:00::") outlive it, so a lexicon that meets WordNet again is looked up by them.
"""

import functools
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from itertools import chain

import polars as pl

from nounflow.text import canon, regular_singular
from nounflow.wordnet import ADDED, Synset, WordNet

# A name's sense (Stephen Crane, the constellation Crane) is written with a capital and seldom meant.
_NAME_PRIOR = 0.25
_PLAIN = re.compile(r"[a-z][a-z ]*[a-z]")
_ACRONYM = re.compile(r"[A-Z]{2}")


@dataclass(frozen=True)
class WordSense:
    """One noun sense of a word."""

    synset: Synset
    key: str  # this word's sense key in the synset
    spelling: str  # as WordNet writes it there
    count: int  # in the sense-tagged texts
    mass: float  # the count, smoothed: see `WordSenses.by_mass`


class WordSenses:
    """What words mean. The senses that `lexicons` chose for their nouns come before WordNet's own."""

    def __init__(self, wordnet: WordNet, lexicons: Iterable[pl.DataFrame] = ()) -> None:
        """`lexicons`: tables of schema `LEXICON`; of a noun in several the first counts."""
        lexicons = tuple(lexicons)
        self.wordnet = wordnet = _with_added(wordnet, lexicons)
        self._words, self._irregular = wordnet.spellings, wordnet.singulars_by_canon
        self._chosen: dict[str, tuple[str, ...]] = {}
        self._nouns: dict[str, dict[str, None]] = defaultdict(dict)  # a form of a lexicon -> canons of its nouns
        for table in lexicons:
            for name, keys, *forms in table.select("canon", "sense_keys", "singulars", "plurals").iter_rows():
                self._chosen.setdefault(name, tuple(wordnet.by_sense_key(key).id for key in keys))
                for form in chain.from_iterable(written or () for written in forms):
                    self._nouns[canon(form)][name] = None
        self.senses = functools.lru_cache(maxsize=None)(self._senses)
        self.singulars = functools.lru_cache(maxsize=None)(self._singulars)

    def knows(self, form: str) -> bool:
        """Whether WordNet lists this very form."""
        return canon(form) in self._words

    def _senses(self, form: str) -> tuple[WordSense, ...]:
        """Senses of this very form in WordNet's order: by use as far as its tagged texts reach."""
        found: dict[str, WordSense] = {}
        for word in self._words.get(canon(form), ()):
            for rank, synset in enumerate(self.wordnet.senses(word), 1):
                for spelling, key in zip(synset.lemmas, synset.sense_keys, strict=True):
                    if spelling.lower() == word and key not in found:
                        count = self.wordnet.tag_counts.get(key, 0)
                        prior = 1.0 / (rank if count else 1 + _place(key)[1])
                        prior *= 1.0 if spelling == spelling.lower() else _NAME_PRIOR
                        found[key] = WordSense(synset, key, spelling, count, count + prior)
        return tuple(found.values())

    def by_mass(self, form: str) -> list[WordSense]:
        """Senses of this very form, commonest first.

        Mass of a sense = its count in the tagged texts + a prior. WordNet orders the senses that its texts hold by
        frequency, so their prior is 1/rank. The others stand in no order of use: there the sense that was entered
        first (lex_id 0 in senseidx(5WN): the bullet that is shot, not the train) gets 1, the next 1/2 ..., and between
        equals the order of the files decides: animal, artifact, food, ..., plant. A name gets a quarter.
        """
        return sorted(self.senses(form), key=lambda sense: (-sense.mass, _place(sense.key)))

    def shares(self, form: str, selected: Collection[str]) -> tuple[float, float]:
        """(share of all uses, share of noun uses) in which a form means one of the `selected` synsets."""
        senses = self.by_mass(form)
        nouns = sum(sense.mass for sense in senses)
        objects = sum(sense.mass for sense in senses if sense.synset.id in selected)
        return objects / (nouns + self._other_uses[canon(form)]), objects / nouns

    @functools.cached_property
    def _other_uses(self) -> Counter[str]:
        """Canon -> count as verb, adjective or adverb."""
        uses = Counter[str]()
        for key, count in self.wordnet.tag_counts.items():
            lemma, _, place = key.partition("%")
            if not place.startswith("1"):
                uses[canon(lemma)] += count
        return uses

    def _singulars(self, form: str) -> tuple[str, ...]:
        """Canonical singulars that a form may be the plural of: "computer mice" -> ("computer mouse",).

        Also the nouns of the lexicons that it is a form of, for they know plurals and spellings that rules do not.
        """
        form = canon(form)
        head, _, last = form.rpartition(" ")
        found = [canon(f"{head} {singular}") for singular in self._irregular.get(last, ())]
        known = self.knows(form)
        if _PLAIN.fullmatch(form):
            if not known:  # inflect turns "dassies" into "dassy", "irises" into "irise", and leaves "trousers"
                found += [form[:-n] for n, end in ((1, "s"), (2, "es")) if form.endswith(end) and self.knows(form[:-n])]
            found.append(canon(regular_singular(form) or ""))
            if form.endswith("i") and self.knows(f"{form[:-1]}us"):  # cacti: not in every WordNet, nor in inflect
                found.append(f"{form[:-1]}us")
        found = [s for s in found if len(s) > 2]
        found = [s for s in found if self.knows(s)] or ([] if known else found)
        return tuple(s for s in dict.fromkeys([*self._nouns.get(form, ()), *found]) if s != form)

    def readings(self, form: str) -> frozenset[str]:
        """The canonical words that a form may be: itself and each singular."""
        return frozenset({canon(form), *self.singulars(form)})

    def meanings(self, form: str) -> dict[str, int]:
        """Synset id -> count in the tagged texts, of a form and, if it may be a plural, of its singulars.

        Commonest first, those of the form before those of the singulars.
        """
        found: dict[str, int] = {}
        for reading in (form, *self.singulars(form)):
            for sense in self.senses(reading):
                found[sense.synset.id] = max(sense.count, found.get(sense.synset.id, 0))
        return found

    def synsets(self, noun: str) -> tuple[str, ...]:
        """Ids of what a noun means: in the first lexicon that has it, else in WordNet; empty if that lacks it."""
        known = self._chosen.get(canon(noun))
        return known or tuple(dict.fromkeys(sense.synset.id for sense in self.senses(noun)))


def _with_added(wordnet: WordNet, lexicons: Iterable[pl.DataFrame]) -> WordNet:
    """WordNet with the meanings that a supplement added to lexicons, each below its parent."""
    added: dict[str, Synset] = {}
    columns = ("noun", "kind", "gloss", "synsets", "sense_keys", "hypernym_synsets")
    for table in lexicons:
        for noun, kind, gloss, ids, keys, above in table.select(columns).iter_rows():
            for number, (synset, key) in enumerate(zip(ids, keys, strict=True)):
                if not key.endswith(f":{ADDED}::") or key in wordnet.sense_ids:
                    continue
                parents = tuple(above[:1]) if number == 0 and above and above[0] in wordnet.synsets else ()
                known = added.get(synset, Synset(synset, kind, (), (), parents, (), gloss))
                if key not in known.sense_keys:
                    known = replace(known, lemmas=(*known.lemmas, noun), sense_keys=(*known.sense_keys, key))
                added[synset] = known
    if not added:
        return wordnet
    index = dict(wordnet.index)
    for synset in added.values():
        for word in synset.lemmas:
            index[word.lower()] = (*index.get(word.lower(), ()), synset.id)
    return WordNet({**wordnet.synsets, **added}, index, wordnet.exceptions, wordnet.tag_counts)


def _place(key: str) -> tuple[int, int]:
    """(number of the lexicographer file, lex_id) of a sense key: "crane%1:05:00::" -> (5, 0)."""
    _, file, lex_id, *_ = key.partition("%")[2].split(":")
    return int(file), int(lex_id)


@dataclass(frozen=True)
class FormUse:
    """A noun of a lexicon that a form may stand for."""

    noun: int  # noun id
    singular: bool
    plural: bool
    mass: float  # noun weight x share of the form in the noun's use
    acronym: bool  # "PC", which "pc" in small letters does not name


class LexiconForms:
    """What the written forms of a lexicon stand for."""

    def __init__(self, nouns: pl.DataFrame) -> None:
        """`nouns`: a table of schema `LEXICON` whose ids are its row numbers."""
        found: dict[str, dict[int, list[tuple[bool, str, float]]]] = defaultdict(lambda: defaultdict(list))
        columns = ("singulars", "singular_shares", "plurals", "plural_shares")
        for noun, weight, ones, one_shares, many, many_shares in nouns.select("id", "weight", *columns).iter_rows():
            for plural, forms, shares in ((False, ones, one_shares), (True, many, many_shares)):
                for form, share in zip(forms or (), shares or (), strict=True):
                    found[canon(form)][noun].append((plural, form, weight * share))
        self.by_canon = {form: tuple(_use(noun, uses) for noun, uses in nouns.items()) for form, nouns in found.items()}
        self._synsets = [frozenset(ids) for ids in nouns["synsets"].to_list()]
        own_and_above = nouns.select(pl.col("synsets").list.head(1).list.concat("hypernym_synsets")).to_series()
        self._kinds = [frozenset(ids) for ids in own_and_above.to_list()]

    def uses(self, form: str) -> tuple[FormUse, ...]:
        """The nouns that a form, in any spelling of it, may stand for."""
        return self.by_canon.get(canon(form), ())

    def is_related(self, noun: int, target: int) -> bool:
        """Whether a noun can mean what the target means or a kind of thing that it is: "bird" for a robin."""
        return not self._synsets[noun].isdisjoint(self._kinds[target])


def _use(noun: int, uses: list[tuple[bool, str, float]]) -> FormUse:
    return FormUse(
        noun,
        singular=not all(plural for plural, _, _ in uses),
        plural=any(plural for plural, _, _ in uses),
        mass=sum(mass for _, _, mass in uses),
        acronym=all(is_acronym(form) for _, form, _ in uses),
    )


def is_acronym(form: str) -> bool:
    """Whether two capitals stand side by side in a form: "PC"."""
    return _ACRONYM.search(form) is not None
