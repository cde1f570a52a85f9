"""From selected synsets to a lexicon: one entry a canon, its forms, its weight, and the filters in their order."""

import functools
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import polars as pl

from nounflow.config.lexicon import LexiconConfig
from nounflow.counts import Counts
from nounflow.errors import NounflowError
from nounflow.files import sha256_text
from nounflow.nouns.entries import NounEntry
from nounflow.nouns.filters import CountPieces, filtered, listed_names, loosen
from nounflow.nouns.frequencies import THRESHOLD, Frequencies
from nounflow.nouns.inflection import Inflector, form_shares, is_latin
from nounflow.nouns.inflection_lists import InflectionLists
from nounflow.nouns.rules import Rules
from nounflow.nouns.selection import (
    SenseOrder,
    check_left_out,
    is_title,
    kind_of,
    rank_names,
    select_synsets,
)
from nounflow.nouns.spelling import Spellings, Words
from nounflow.nouns.supplement import Addition, extended
from nounflow.nouns.visualness import Verdict, visualness
from nounflow.schemas.tables import LEXICON
from nounflow.senses import WordSenses
from nounflow.text import canon
from nounflow.wordnet import WordNet

_MOST_PLURAL = 3.0  # a plural that is this many times as frequent as its singular is another word, too: "sanders"


def build_lexicon(
    wordnet: WordNet,
    config: LexiconConfig,
    rules: Rules,
    frequencies: Frequencies,
    count_pieces: CountPieces | None = None,
    name: str = "",
    inflection: InflectionLists | None = None,
    supplement: tuple[Addition, ...] = (),
    dropped: dict[str, str] | None = None,
) -> tuple[pl.DataFrame, Counts]:
    """The lexicon as a table of schema `LEXICON`, sorted by canon, ids = row numbers; and what was dropped, and why.

    `count_pieces` gives the word pieces of a text; it is needed where `max_pieces` is set. `name` is for messages;
    `inflection` holds the words that no rule of inflection knows, `supplement` nouns that WordNet lacks. `dropped` gets
    each noun that a filter dropped, and why.

    Raises:
        NounflowError: if a setting or the rule file is at fault, or if no noun is left.
    """
    if config.max_pieces and count_pieces is None:
        raise NounflowError(
            f"max_pieces is {config.max_pieces}, but there is no tokenizer to count word pieces",
            fix="pass --tokenizer FILE (a tokenizer.json), or set max_pieces to 0",
        )
    counts = Counts("nouns")
    verdicts = visualness(wordnet, rules.terms, rules.decisions, rules.pictured)
    check_left_out(wordnet, rules, verdicts)
    selected = frozenset(select_synsets(verdicts, wordnet, config, counts))
    wordnet, added = extended(wordnet, supplement)
    selected |= added
    verdicts |= dict.fromkeys(added, Verdict(1.0, "of the supplement"))
    uses = {word.lower(): addition.use for addition in supplement for word in addition.words}
    inflector = Inflector(wordnet, inflection or InflectionLists(), frequencies, uses)
    spellings = Spellings(rules.british, config.spelling, config.variants)
    entries = _entries(wordnet, selected, rules, frequencies, inflector, spellings)
    flow = counts.flow("nouns", len(entries), "nouns")
    always = {canon(addition.words[0]) for addition in supplement}
    always |= listed_names(rules.listed, entries) if config.listed else set()
    kept = filtered(entries, config, rules, spellings, count_pieces, flow, always, dropped)
    flow.out(len(kept))
    if not kept:
        raise NounflowError(
            f"The lexicon {name} is empty: its filters drop all {len(entries):,} nouns",
            where=f"lexicons.{name} in the config",
            fix=loosen(flow),
        )
    kept = [replace(entry, noun=spellings.led(entry.noun, entry.singulars)) for entry in kept]
    kept.sort(key=lambda entry: entry.canon)
    forms = counts.flow("forms", len(kept), "nouns")
    forms.add(sum(len(entry.singulars) + len(entry.plurals) - 1 for entry in kept), "further spellings and plurals")
    forms.out(sum(len(entry.singulars) + len(entry.plurals) for entry in kept), "forms")
    return _table(wordnet, kept, frequencies, verdicts), counts


def _entries(
    wordnet: WordNet,
    selected: frozenset[str],
    rules: Rules,
    frequencies: Frequencies,
    inflector: Inflector,
    spellings: Spellings,
) -> list[NounEntry]:
    """One entry for each canon of the selected synsets, sorted by canon."""
    words = WordSenses(wordnet)
    drafts = _drafts(words, selected, rules, inflector)
    taken = {spelling for draft in drafts for spelling in draft.spellings}
    left_out = {word for rule in rules.leave_out_spellings for word in rule.words}
    known = Words(frequencies, frequencies.second, frequencies.web, wordnet.index, taken, left_out)
    drafts = [_with_variants(draft, wordnet, spellings, known) for draft in drafts]
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


def _with_variants(draft: NounEntry, wordnet: WordNet, spellings: Spellings, known: Words) -> NounEntry:
    first = draft.senses[0].synset
    above = (lemma for synset in wordnet.hypernym_chain(first.id) for lemma in synset.lemmas)
    meaning = frozenset(re.findall(r"[a-z]+", " ".join((first.gloss.lower(), *above))))
    forms = (spellings.variants(forms, meaning, known) for forms in (draft.singulars, draft.plurals))
    singulars, plurals = forms
    return replace(draft, singulars=singulars, plurals=plurals)


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
        senses = [sense for sense in words.by_mass(name) if sense.synset.id in selected and not is_title(sense)]
        senses = [sense for sense in senses if sense.key not in order.left_out]
        if not senses:
            continue
        senses.sort(key=functools.partial(order.rank, name))  # stable: commonest first
        forms = inflector.forms((sense.spelling for sense in senses), senses[0].synset)
        if canon(forms.noun) != name and canon(forms.noun) in known:
            continue  # "sunglass", where "sunglasses" is an entry
        plurals = forms.plurals
        if taxa.intersection(wordnet.ancestors(senses[0].synset.id)):  # no "Liliums"
            plurals = tuple(plural for plural in plurals if plural == forms.noun)
        drafts.append(
            NounEntry(
                name,
                forms.noun,
                tuple(senses),
                forms.singulars,
                plurals,
                forms.countability,
                pictured=senses[0].synset.id in order.pictured,
                latin=is_latin(forms.noun, wordnet.index),
            )
        )
    return drafts


def _aliases(entry: NounEntry, ranks: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Other names of an entry's first sense: synonyms, Latin names, and ranks that hold nothing else."""
    first = entry.senses[0].synset
    return [name for name in (*first.lemmas, *ranks.get(first.id, ())) if canon(name) not in entry.spellings]


def _table(
    wordnet: WordNet, entries: list[NounEntry], frequencies: Frequencies, verdicts: Mapping[str, Verdict]
) -> pl.DataFrame:
    rows, ranks = [], rank_names(wordnet)
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
                "group": first.id, "aliases": _aliases(entry, ranks), "visualness": verdicts[first.id].score,
            }
        )  # fmt: skip
    return pl.DataFrame(rows, infer_schema_length=None).select(LEXICON.names)
