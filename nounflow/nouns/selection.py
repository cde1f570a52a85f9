"""Which synsets are objects: whole classes, then the nearest rule above each synset."""

from __future__ import annotations

from nounflow.config.lexicon import LexiconConfig
from nounflow.counts import Counts
from nounflow.errors import NounflowError
from nounflow.nouns.rules import Rules, SenseRule
from nounflow.wordnet import Synset, WordNet

# (included, reaches below, reason)
_Mark = tuple[bool, bool, str]


def select_synsets(wordnet: WordNet, rules: Rules, config: LexiconConfig, counts: Counts) -> tuple[int, ...]:
    """Offsets of the selected synsets, ascending; each dropped synset is counted with its reason.

    A synset follows the nearest rule at or above it (where an inclusion and an exclusion are equally near, the
    exclusion); without one, its class decides. Names of single things (instances) are only selected where a rule
    includes them by themselves: the sun, the moon.

    Raises:
        NounflowError: if a rule names a sense that WordNet lacks.
    """
    marks = _marks(wordnet, rules, config.photographed)
    flow = counts.flow("synsets", len(wordnet.synsets), "noun synsets")
    selected = []
    for offset in sorted(wordnet.synsets):
        reason = _refusal(wordnet, wordnet.synsets[offset], rules, config, marks)
        if reason is None:
            selected.append(offset)
        else:
            flow.drop(1, reason)
    flow.out(len(selected))
    return tuple(selected)


def _refusal(
    wordnet: WordNet, synset: Synset, rules: Rules, config: LexiconConfig, marks: dict[int, list[_Mark]]
) -> str | None:
    if synset.lexname not in config.kinds:
        return "class not among `kinds`"
    if synset.is_instance and not any(included for included, _, _ in marks.get(synset.offset, ())):
        return "name of a single thing"
    included, reason = _nearest(wordnet, synset.offset, marks)
    if included is None:
        return None if synset.lexname in rules.classes else "class not taken whole, and no rule includes it"
    return None if included else f"rule: {reason}"


def _nearest(wordnet: WordNet, offset: int, marks: dict[int, list[_Mark]]) -> tuple[bool | None, str]:
    """What the nearest rule says, and why; None if no rule reaches this synset."""
    best: tuple[int, bool, str] | None = None
    for ancestor, distance in wordnet.ancestors(offset).items():  # nearest first
        if best is not None and distance > best[0]:
            break
        for included, below, reason in marks.get(ancestor, ()):
            if (below or distance == 0) and (best is None or not included):
                best = (distance, included, reason)
    return (None, "") if best is None else (best[1], best[2])


def _marks(wordnet: WordNet, rules: Rules, photographed: bool) -> dict[int, list[_Mark]]:
    marks: dict[int, list[_Mark]] = {}
    rulings = [(rule, True) for rule in rules.include]
    rulings += [(rule, False) for rule in rules.exclude if photographed]
    for rule, included in rulings:
        for synset in _synsets(wordnet, rule):
            marks.setdefault(synset.offset, []).append((included, rule.below, rule.reason))
    return marks


def later_senses(wordnet: WordNet, rules: Rules) -> frozenset[int]:
    """Offsets of the senses that `later` puts behind a word's others."""
    offsets: set[int] = set()
    for rule in rules.later:
        for synset in _synsets(wordnet, rule):
            offsets.update(wordnet.descendants(synset.offset) if rule.below else (synset.offset,))
    return frozenset(offsets)


def _synsets(wordnet: WordNet, rule: SenseRule) -> list[Synset]:
    found, missing = [], []
    for key in rule.senses:
        try:
            found.append(wordnet.by_sense_key(key))
        except NounflowError:
            missing.append(key)
    if missing:
        raise NounflowError(
            f"The rule file names senses that this WordNet lacks: {', '.join(missing)}",
            fix="use sense keys that WordNet 3.0 and 3.1 share",
        )
    return found
