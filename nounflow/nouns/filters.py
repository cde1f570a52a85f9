"""Which nouns a lexicon keeps: the filters, in their order."""

import difflib
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from nounflow.config.lexicon import LexiconConfig
from nounflow.counts import Flow
from nounflow.nouns.entries import NounEntry
from nounflow.nouns.rules import Rules
from nounflow.nouns.spelling import Spellings
from nounflow.nouns.stand_ins import Drop, stand_ins

_WRITABLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9 './-]+")
_ALIKE = 0.75  # share of common letters from which two synonyms count as spellings of one word
_PICTURED = 2.0  # this much less weight will do where ImageNet has pictures of the first sense
CountPieces = Callable[[str], int]


def listed_names(classes: Collection[tuple[str, ...]], entries: Collection[NounEntry]) -> set[str]:
    """Of the names of each class of an image set the commonest."""
    use = {entry.canon: entry.object_frequency for entry in entries}
    known = (sorted(name for name in names if name in use) for names in classes)
    return {max(names, key=use.__getitem__) for names in known if names}


def filtered(
    entries: list[NounEntry],
    config: LexiconConfig,
    rules: Rules,
    spellings: Spellings,
    count_pieces: CountPieces | None,
    flow: Flow,
    always: Collection[str],
    dropped: dict[str, str] | None = None,
) -> list[NounEntry]:
    """The filters, in their order; each dropped noun is counted once, under the first that drops it.

    Args:
        always: canons that pass the filters of share, weight, capitals and words left out.
        dropped: gets each dropped noun and why.
    """
    left_out = rules.left_out if config.photographed else {}
    drops = {entry.canon: _reason(entry, config, left_out, entry.canon in always, count_pieces) for entry in entries}
    for stand_in in stand_ins(entries, drops, config.min_weight, config.complete_kinds):
        drops[stand_in] = _left_out(stand_in, left_out)
    dropped = {} if dropped is None else dropped
    dropped |= {name: drop.why for name, drop in drops.items() if drop is not None}
    kept = [entry for entry in entries if drops[entry.canon] is None]
    if ratio := config.synonym_ratio:
        rarer = _rare_synonyms(kept, ratio, always, spellings)
        why = f"a synonym is {ratio:g} times as frequent, or a commoner spelling (synonym_ratio)"
        dropped |= dict.fromkeys(sorted(rarer), why)
        kept = _with_spellings(kept, rarer, spellings)
    if config.max_nouns and len(kept) > config.max_nouns:
        by_use = sorted(kept, key=lambda entry: (-entry.object_frequency, entry.canon))
        why = f"not among the {config.max_nouns:,} heaviest (max_nouns)"
        dropped |= {entry.canon: why for entry in by_use[config.max_nouns :]}
        kept = sorted(by_use[: config.max_nouns], key=lambda entry: entry.canon)
    for reason, n in Counter(dropped.values()).items():
        flow.drop(n, reason)
    return kept


def loosen(flow: Flow) -> str:
    """Advice for an empty lexicon: the settings that dropped the most, which stand behind each reason in brackets."""
    drops: Counter[str] = Counter()
    for reason, n in flow.dropped.items():
        if setting := re.search(r"\((\w+)\)$", reason):
            drops[setting[1]] += n
    if not drops:
        return "allow more classes under `kinds`"
    return "loosen " + " or ".join(f"{setting} (it dropped {n:,})" for setting, n in drops.most_common(3))


def _reason(
    entry: NounEntry, config: LexiconConfig, left_out: dict[str, str], always: bool, count_pieces: CountPieces | None
) -> Drop | None:
    """Why an entry is dropped by itself; `always`: it passes those but for its signs and pieces."""
    if not _WRITABLE.fullmatch(entry.noun) or len(entry.canon) < 2:
        return Drop("one letter, or signs other than letters, digits, space, ' . / -")
    if not always:
        name = " " not in entry.noun and entry.noun != entry.noun.lower() and not entry.noun[1:].isupper()  # no "TV"
        if not config.capitalised and (entry.latin or name):
            reason = "a Latin name, or one word with a capital that no image set lists (capitalised)"
            return Drop(reason, None if entry.latin else Drop.RARE)
        if entry.noun_share < config.min_object_share:
            share = f"{config.min_object_share:g} of its uses as a noun (min_object_share)"
            return Drop(f"means an object in less than {share}", Drop.AMBIGUOUS)
    if config.max_pieces and count_pieces and count_pieces(entry.noun) > config.max_pieces:
        return Drop(f"more than {config.max_pieces} word pieces (max_pieces)")
    if always:
        return None
    if entry.weight < config.min_weight - (_PICTURED if entry.pictured else 0.0):
        evidence = "too rare as an object" if entry.frequency else "no evidence of use"
        return Drop(f"{evidence}: weight below {config.min_weight:g} (min_weight)", Drop.RARE)
    return _left_out(entry.canon, left_out)


def _left_out(name: str, left_out: dict[str, str]) -> Drop | None:
    reason = left_out.get(name)
    return Drop(f"left out by the rule file: {reason}", Drop.AMBIGUOUS) if reason else None


def _rare_synonyms(
    entries: Sequence[NounEntry], ratio: float, always: Collection[str], spellings: Spellings
) -> set[str]:
    """Canons whose first sense has another entry `ratio` times as frequent in it, or a leading or commoner spelling."""
    by_synset: dict[str, list[tuple[NounEntry, float]]] = defaultdict(list)
    for entry in entries:
        for sense in entry.senses:
            by_synset[sense.synset.id].append((entry, entry.sense_frequency(sense)))

    def same(entry: NounEntry, other: NounEntry) -> bool:
        return _closed(entry) == _closed(other) and entry.senses[0].synset == other.senses[0].synset

    def rank(entry: NounEntry, frequency: float) -> tuple[bool, float, str]:
        return entry.canon in always, frequency, entry.canon

    def loses(entry: NounEntry) -> bool:
        own, needed = entry.sense_frequency(entry.senses[0]), entry.canon in always
        return any(
            spellings.leads(other.noun, entry.noun)
            or (same(entry, other) and rank(other, frequency) > rank(entry, own))
            or (
                not needed
                and (frequency >= ratio * own or (frequency > own and _alike(entry, other)))
                and not spellings.leads(entry.noun, other.noun)
            )
            for other, frequency in by_synset[entry.senses[0].synset.id]
            if other is not entry
        )

    return {entry.canon for entry in entries if loses(entry)}


def _with_spellings(entries: Sequence[NounEntry], rarer: Collection[str], spellings: Spellings) -> list[NounEntry]:
    """The entries but for the rarer ones, whose forms go to an entry of the same sense that they are a spelling of."""
    dropped = defaultdict(list)
    for entry in entries:
        if entry.canon in rarer:
            dropped[entry.senses[0].synset.id].append(entry)
    kept = []
    for entry in entries:
        if entry.canon in rarer:
            continue
        for other in dropped[entry.senses[0].synset.id]:
            if _closed(entry) == _closed(other) or spellings.dialects(entry.noun) == other.noun:
                entry = replace(
                    entry,
                    singulars=tuple(dict.fromkeys(entry.singulars + other.singulars)),
                    plurals=tuple(dict.fromkeys(entry.plurals + other.plurals)) if entry.plurals else (),
                    frequency=entry.frequency + other.frequency,
                    object_frequency=entry.object_frequency + other.object_frequency,
                )
        kept.append(entry)
    return kept


def _closed(entry: NounEntry) -> str:
    return entry.canon.replace(" ", "")


def _alike(entry: NounEntry, other: NounEntry) -> bool:
    """Two spellings or derivations of one word: "theatre" and "theater"."""
    first, second = _closed(entry), _closed(other)
    if abs(len(first) - len(second)) > 2:  # "airplane" is not a spelling of "plane"
        return False
    return difflib.SequenceMatcher(None, first, second, autojunk=False).ratio() >= _ALIKE
