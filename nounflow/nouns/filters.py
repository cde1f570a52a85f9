"""Which nouns a lexicon keeps: the filters, in their order."""

import difflib
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Sequence

from nounflow.config.lexicon import LexiconConfig
from nounflow.counts import Flow
from nounflow.nouns.entries import NounEntry
from nounflow.nouns.rules import Rules
from nounflow.nouns.spelling import Spellings

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
) -> list[NounEntry]:
    """The filters, in their order; each dropped noun is counted once, under the first that drops it.

    `always`: canons that pass the filters of share, weight, capitals and words left out.
    """
    left_out = rules.left_out if config.photographed else {}
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
        rarer = _rare_synonyms(kept, ratio, always, spellings)
        flow.drop(len(rarer), f"a synonym is {ratio:g} times as frequent, or a commoner spelling (synonym_ratio)")
        kept = [entry for entry in kept if entry.canon not in rarer]
    if config.max_nouns and len(kept) > config.max_nouns:
        flow.drop(len(kept) - config.max_nouns, f"not among the {config.max_nouns:,} heaviest (max_nouns)")
        heaviest = sorted(kept, key=lambda entry: (-entry.object_frequency, entry.canon))[: config.max_nouns]
        kept = sorted(heaviest, key=lambda entry: entry.canon)
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


def _reason(entry: NounEntry, config: LexiconConfig, left_out: dict[str, str], always: bool) -> str | None:
    """Why an entry is dropped by itself; `always`: it passes those but for its signs."""
    if not _WRITABLE.fullmatch(entry.noun) or len(entry.canon) < 2:
        return "one letter, or signs other than letters, digits, space, ' . / -"
    if always:
        return None
    if entry.canon in left_out:
        return f"left out by the rule file: {left_out[entry.canon]}"
    name = " " not in entry.noun and entry.noun != entry.noun.lower() and not entry.noun[1:].isupper()  # no "TV"
    if not config.capitalised and (entry.latin or name):
        return "a Latin name, or one word with a capital that no image set lists (capitalised)"
    if entry.noun_share < config.min_object_share:
        return f"means an object in less than {config.min_object_share:g} of its uses as a noun (min_object_share)"
    if entry.weight < config.min_weight - (_PICTURED if entry.pictured else 0.0):
        evidence = "too rare as an object" if entry.frequency else "no evidence of use"
        return f"{evidence}: weight below {config.min_weight:g} (min_weight)"
    return None


def _rare_synonyms(
    entries: Sequence[NounEntry], ratio: float, always: Collection[str], spellings: Spellings
) -> set[str]:
    """Canons whose first sense has another entry `ratio` times as frequent in it, or a leading or commoner spelling."""
    by_synset: dict[str, list[tuple[NounEntry, float]]] = defaultdict(list)
    for entry in entries:
        for sense in entry.senses:
            by_synset[sense.synset.id].append((entry, entry.sense_frequency(sense)))

    def loses(entry: NounEntry) -> bool:
        own = entry.sense_frequency(entry.senses[0])
        return any(
            spellings.leads(other.noun, entry.noun)
            or (
                (frequency >= ratio * own or (frequency > own and _alike(entry, other)))
                and not spellings.leads(entry.noun, other.noun)
            )
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
