"""Which synsets are objects: whole classes, then the nearest rule above each synset."""

from collections import defaultdict

from nounflow.config.lexicon import LexiconConfig
from nounflow.counts import Counts
from nounflow.errors import NounflowError
from nounflow.nouns.rules import Rules, SenseRule
from nounflow.wordnet import Synset, WordNet

# synset id -> what rules say there: (included, reaches below, reason)
_Marks = dict[str, list[tuple[bool, bool, str]]]


def select_synsets(wordnet: WordNet, rules: Rules, config: LexiconConfig, counts: Counts) -> tuple[str, ...]:
    """Ids of the selected synsets, ascending; each dropped synset is counted with its reason.

    A synset follows the nearest rule at or above it (where an inclusion and an exclusion are equally near, the
    exclusion); without one, its class decides. Names of single things (instances) are only selected where a rule
    includes them by themselves: the sun, the moon.

    Raises:
        NounflowError: if a rule names a sense that WordNet lacks.
    """
    marks: _Marks = defaultdict(list)
    for included, of_kind in ((True, rules.include), (False, rules.exclude if config.photographed else ())):
        for rule in of_kind:
            for synset in _synsets(wordnet, rule):
                marks[synset].append((included, rule.below, rule.reason))
    flow = counts.flow("synsets", len(wordnet.synsets), "noun synsets")
    selected = []
    for synset in sorted(wordnet.synsets):
        reason = _refusal(wordnet, wordnet.synsets[synset], rules, config, marks)
        if reason is None:
            selected.append(synset)
        else:
            flow.drop(1, reason)
    flow.out(len(selected))
    return tuple(selected)


def _refusal(wordnet: WordNet, synset: Synset, rules: Rules, config: LexiconConfig, marks: _Marks) -> str | None:
    if synset.lexname not in config.kinds:
        return "class not among `kinds`"
    if synset.is_instance and not any(included for included, _, _ in marks.get(synset.id, ())):
        return "name of a single thing"
    included, reason = _nearest(wordnet, synset.id, marks)
    if included is None:
        return None if synset.lexname in rules.classes else "class not taken whole, and no rule includes it"
    return None if included else f"rule: {reason}"


def _nearest(wordnet: WordNet, synset: str, marks: _Marks) -> tuple[bool | None, str]:
    """What the nearest rule says, and why; None if no rule reaches this synset."""
    best: tuple[int, bool, str] | None = None
    for ancestor, distance in wordnet.ancestors(synset).items():  # nearest first
        if best is not None and distance > best[0]:
            break
        for included, below, reason in marks.get(ancestor, ()):
            if (below or distance == 0) and (best is None or not included):
                best = (distance, included, reason)
    return (None, "") if best is None else (best[1], best[2])


def later_senses(wordnet: WordNet, rules: Rules) -> frozenset[str]:
    """Ids of the senses that `later` puts behind a word's others."""
    named = ((rule, synset) for rule in rules.later for synset in _synsets(wordnet, rule))
    return frozenset(
        sense for rule, synset in named for sense in (wordnet.descendants(synset) if rule.below else (synset,))
    )


def _synsets(wordnet: WordNet, rule: SenseRule) -> list[str]:
    if missing := [key for key in rule.senses if key not in wordnet.sense_ids]:
        raise NounflowError(
            f"The rule file names senses that this WordNet lacks: {', '.join(missing)}",
            fix="use sense keys that WordNet 3.0 and 3.1 share",
        )
    return [wordnet.sense_ids[key] for key in rule.senses]
