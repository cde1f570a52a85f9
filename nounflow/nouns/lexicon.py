"""From selected synsets to a lexicon: one entry a canon, its forms, its weight, and the filters in their order."""

from __future__ import annotations

import difflib
import functools
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

import polars as pl

from nounflow.config.lexicon import LexiconConfig
from nounflow.counts import Counts, Flow
from nounflow.errors import NounflowError
from nounflow.files import sha256_text
from nounflow.nouns.frequencies import THRESHOLD, Frequencies, log_weight
from nounflow.nouns.inflection import Inflector, form_shares, is_latin
from nounflow.nouns.inflection_lists import Countability, InflectionLists
from nounflow.nouns.rules import Rules
from nounflow.nouns.selection import SenseOrder, judge_synsets, kind_of, select_synsets
from nounflow.schemas.tables import LEXICON
from nounflow.senses import WordSense, WordSenses
from nounflow.text import canon
from nounflow.wordnet import WordNet

_WRITABLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9 './-]+")
_ALIKE = 0.75  # share of common letters from which two synonyms count as spellings of one word
_MOST_PLURAL = 4.0  # a plural that is this many times as frequent as its singular is another word, too: "sanders"
CountPieces = Callable[[str], int]


@dataclass(frozen=True)
class NounEntry:
    """One noun before it becomes a row."""

    name: str  # canon of WordNet's word
    noun: str  # display form
    senses: tuple[WordSense, ...]  # selected ones, commonest first
    singulars: tuple[str, ...]
    plurals: tuple[str, ...]
    countability: Countability = "count"
    latin: bool = False  # a name of a species, such as "Canis familiaris"
    frequency: float = 0.0  # relative to "the", over all forms and meanings
    object_frequency: float = 0.0  # of this, as the object: P(object | word) times the frequency, form by form
    noun_share: float = 0.0  # P(object | word, used as a noun)

    @property
    def canon(self) -> str:
        """Its name in the lexicon."""
        return canon(self.noun)

    @property
    def weight(self) -> float:
        """g of the frequency with which the word means the object, 1 or more."""
        return log_weight(self.object_frequency)

    @property
    def spellings(self) -> tuple[str, ...]:
        """Distinct canons of all forms."""
        return tuple(dict.fromkeys(canon(form) for form in (*self.singulars, *self.plurals)))

    def sense_frequency(self, sense: WordSense) -> float:
        """Frequency in one sense; a noun without evidence stands at half the weight threshold."""
        frequency = self.object_frequency if self.frequency else THRESHOLD / 2
        return frequency * sense.mass / sum(selected.mass for selected in self.senses)


def build_lexicon(
    wordnet: WordNet,
    config: LexiconConfig,
    rules: Rules,
    frequencies: Frequencies,
    count_pieces: CountPieces | None = None,
    name: str = "",
    inflection: InflectionLists | None = None,
) -> tuple[pl.DataFrame, Counts]:
    """The lexicon as a table of schema `LEXICON`, sorted by canon, ids = row numbers; and what was dropped, and why.

    `count_pieces` gives the word pieces of a text; it is needed where `max_pieces` is set. `name` is for messages;
    `inflection` holds the words that no rule of inflection knows.

    Raises:
        NounflowError: if a setting or the rule file is at fault, or if no noun is left.
    """
    if config.max_pieces and count_pieces is None:
        raise NounflowError(
            f"max_pieces is {config.max_pieces}, but there is no tokenizer to count word pieces",
            fix="pass --tokenizer FILE (a tokenizer.json), or set max_pieces to 0",
        )
    counts = Counts("nouns")
    verdicts = judge_synsets(wordnet, rules)
    selected = frozenset(select_synsets(verdicts, wordnet, config, counts))
    inflector = Inflector(wordnet, inflection or InflectionLists(), frequencies)
    entries = _entries(wordnet, selected, rules, frequencies, inflector)
    flow = counts.flow("nouns", len(entries), "nouns")
    kept = _filtered(entries, config, rules, count_pieces, flow)
    flow.out(len(kept))
    if not kept:
        raise NounflowError(
            f"The lexicon {name} is empty: its filters drop all {len(entries):,} nouns",
            where=f"lexicons.{name} in the config",
            fix=_loosen(flow),
        )
    forms = counts.flow("forms", len(kept), "nouns")
    forms.add(sum(len(entry.singulars) + len(entry.plurals) - 1 for entry in kept), "further spellings and plurals")
    forms.out(sum(len(entry.singulars) + len(entry.plurals) for entry in kept), "forms")
    return _table(wordnet, kept, frequencies), counts


def _entries(
    wordnet: WordNet, selected: frozenset[str], rules: Rules, frequencies: Frequencies, inflector: Inflector
) -> list[NounEntry]:
    """One entry for each canon of the selected synsets, sorted by canon."""
    words = WordSenses(wordnet)
    drafts = _drafts(words, selected, rules, inflector)
    sharing = Counter(spelling for draft in drafts for spelling in draft.spellings)  # entries part a spelling's use
    set_shares = rules.set_shares
    entries = []
    for draft in drafts:
        share, noun_share = words.shares(draft.name, selected)
        uses = {spelling: frequencies(spelling) / sharing[spelling] for spelling in draft.spellings}
        uses = _without_homographs(draft, uses)
        counted = uses if any(uses.values()) else {canon(draft.noun): frequencies.estimate(draft.noun)}
        objects = sum(use * set_shares.get(spelling, share) for spelling, use in counted.items())
        entries.append(replace(draft, frequency=sum(uses.values()), object_frequency=objects, noun_share=noun_share))
    return sorted(entries, key=lambda entry: entry.canon)


def _without_homographs(draft: NounEntry, uses: dict[str, float]) -> dict[str, float]:
    """Uses of the forms, where a plural counts a few times its singular at most: "does" is rarely a plural of "doe"."""
    singulars = {canon(form) for form in draft.singulars}
    most = _MOST_PLURAL * sum(uses[form] for form in singulars)
    if not most:
        return uses
    return {form: use if form in singulars else min(use, most) for form, use in uses.items()}


def _drafts(words: WordSenses, selected: frozenset[str], rules: Rules, inflector: Inflector) -> list[NounEntry]:
    """The entries without frequencies, which depend on which other entries share a spelling."""
    wordnet, order = words.wordnet, SenseOrder(words.wordnet, rules)
    taxa = {synset.id for synset in wordnet.senses("taxonomic group")}
    known = {canon(lemma) for synset in selected for lemma in wordnet.synsets[synset].lemmas}
    drafts = []
    for name in sorted(known):
        senses = [sense for sense in words.by_mass(name) if sense.synset.id in selected]
        senses.sort(key=functools.partial(order.rank, name))  # stable: commonest first
        forms = inflector.forms((sense.spelling for sense in senses), senses[0].synset)
        if canon(forms.noun) != name and canon(forms.noun) in known:
            continue  # "sunglass", where "sunglasses" is an entry
        plurals = forms.plurals
        if taxa.intersection(wordnet.ancestors(senses[0].synset.id)):  # no "Liliums"
            plurals = tuple(plural for plural in plurals if plural == forms.noun)
        latin = is_latin(forms.noun, wordnet.index)
        drafts.append(NounEntry(name, forms.noun, tuple(senses), forms.singulars, plurals, forms.countability, latin))
    return drafts


def _filtered(
    entries: list[NounEntry], config: LexiconConfig, rules: Rules, count_pieces: CountPieces | None, flow: Flow
) -> list[NounEntry]:
    """The filters, in their order; each dropped noun is counted once, under the first that drops it."""
    left_out = rules.left_out if config.photographed else {}
    always: Collection[str] = rules.listed if config.listed else ()
    kept = []
    for entry in entries:
        reason = _reason(entry, config, left_out, entry.canon in always)
        if reason is None and config.max_pieces and count_pieces and count_pieces(entry.noun) > config.max_pieces:
            reason = f"more than {config.max_pieces} word pieces (max_pieces)"
        if reason is None:
            kept.append(entry)
        else:
            flow.drop(1, reason)
    if ratio := config.synonym_ratio:
        rarer = _rare_synonyms(kept, ratio, always)
        flow.drop(len(rarer), f"a synonym is {ratio:g} times as frequent, or a commoner spelling (synonym_ratio)")
        kept = [entry for entry in kept if entry.canon not in rarer]
    if config.max_nouns and len(kept) > config.max_nouns:
        flow.drop(len(kept) - config.max_nouns, f"not among the {config.max_nouns:,} heaviest (max_nouns)")
        heaviest = sorted(kept, key=lambda entry: (-entry.object_frequency, entry.canon))[: config.max_nouns]
        kept = sorted(heaviest, key=lambda entry: entry.canon)
    return kept


def _loosen(flow: Flow) -> str:
    """Advice for an empty lexicon: the settings that dropped the most, which stand behind each reason in brackets."""
    drops: Counter[str] = Counter()
    for reason, n in flow.dropped.items():
        if setting := re.search(r"\((\w+)\)$", reason):
            drops[setting[1]] += n
    if not drops:
        return "allow more classes under `kinds`"
    return "loosen " + " or ".join(f"{setting} (it dropped {n:,})" for setting, n in drops.most_common(3))


def _reason(entry: NounEntry, config: LexiconConfig, left_out: dict[str, str], always: bool) -> str | None:
    """Why an entry is dropped by itself; `always`: an image set lists it."""
    if not _WRITABLE.fullmatch(entry.noun) or len(entry.canon) < 2:
        return "one letter, or signs other than letters, digits, space, ' . / -"
    if always:
        return None
    if entry.canon in left_out:
        return f"left out by the rule file: {left_out[entry.canon]}"
    if not config.capitalised and (entry.latin or (entry.noun != entry.noun.lower() and " " not in entry.noun)):
        return "a Latin name, or one word with a capital that no image set lists (capitalised)"
    if entry.noun_share < config.min_object_share:
        return f"means an object in less than {config.min_object_share:g} of its uses as a noun (min_object_share)"
    if entry.weight < config.min_weight:
        evidence = "too rare as an object" if entry.frequency else "no evidence of use"
        return f"{evidence}: weight below {config.min_weight:g} (min_weight)"
    return None


def _rare_synonyms(entries: Sequence[NounEntry], ratio: float, always: Collection[str]) -> set[str]:
    """Canons whose first sense has another entry `ratio` times as frequent in it, or a commoner spelling."""
    by_synset: dict[str, list[tuple[NounEntry, float]]] = defaultdict(list)
    for entry in entries:
        for sense in entry.senses:
            by_synset[sense.synset.id].append((entry, entry.sense_frequency(sense)))

    def loses(entry: NounEntry) -> bool:
        own = entry.sense_frequency(entry.senses[0])
        return any(
            frequency >= ratio * own or (frequency > own and _alike(entry, other))
            for other, frequency in by_synset[entry.senses[0].synset.id]
            if other is not entry
        )

    return {entry.canon for entry in entries if entry.canon not in always and loses(entry)}


def _alike(entry: NounEntry, other: NounEntry) -> bool:
    """Two spellings or derivations of one word: "theatre" and "theater"."""
    first, second = entry.canon.replace(" ", ""), other.canon.replace(" ", "")
    if abs(len(first) - len(second)) > 2:  # "airplane" is not a spelling of "plane"
        return False
    return difflib.SequenceMatcher(None, first, second, autojunk=False).ratio() >= _ALIKE


def _table(wordnet: WordNet, entries: list[NounEntry], frequencies: Frequencies) -> pl.DataFrame:
    rows = []
    for i, entry in enumerate(entries):
        first = entry.senses[0].synset
        above = wordnet.hypernym_chain(first.id)
        singular_shares, plural_shares = form_shares(entry.singulars, entry.plurals, frequencies, THRESHOLD / 10)
        rows.append(
            {
                "id": i, "key": sha256_text(entry.canon)[:16], "noun": entry.noun, "canon": entry.canon,
                "kind": kind_of(first),
                "synsets": [sense.synset.id for sense in entry.senses],
                "sense_keys": [sense.key for sense in entry.senses],
                "gloss": first.gloss,
                "hypernyms": [synset.lemmas[0] for synset in above],
                "hypernym_synsets": [synset.id for synset in above],
                "singulars": list(entry.singulars), "singular_shares": singular_shares,
                "plurals": list(entry.plurals), "plural_shares": plural_shares, "countability": entry.countability,
                "frequency": entry.frequency, "weight": entry.weight,
            }
        )  # fmt: skip
    return pl.DataFrame(rows, infer_schema_length=None).select(LEXICON.names)
