"""Which synsets are objects that one photographs, and in what order a word's senses stand."""

from collections import Counter
from collections.abc import Iterator, Mapping

from nounflow.config.lexicon import KINDS, LexiconConfig
from nounflow.counts import Counts
from nounflow.errors import NounflowError
from nounflow.nouns.rules import Rules, SenseRule
from nounflow.nouns.visualness import Verdict
from nounflow.senses import WordSense
from nounflow.text import canon
from nounflow.wordnet import Synset, WordNet

# How much likelier a sense leads a word that ImageNet has pictures of, or under whose name an image set has them.
_PICTURED, _LISTED = 3.0, 20.0
LEAST = 0.5  # visualness from which a sense counts as photographed


def select_synsets(
    verdicts: Mapping[str, Verdict], wordnet: WordNet, config: LexiconConfig, counts: Counts
) -> tuple[str, ...]:
    """Ids of the selected synsets, ascending; each dropped synset is counted with its reason."""
    flow = counts.flow("synsets", len(wordnet.synsets), "noun synsets")
    selected = []
    for synset in sorted(wordnet.synsets):
        if kind_of(wordnet.synsets[synset]) not in config.kinds:
            flow.drop(1, "class not among `kinds`")
        elif verdicts[synset].score < config.min_visualness:
            flow.drop(1, f"{verdicts[synset].reason} (min_visualness)")
        else:
            selected.append(synset)
    flow.out(len(selected))
    return tuple(selected)


def check_left_out(wordnet: WordNet, rules: Rules, verdicts: Mapping[str, Verdict]) -> None:
    """Each word under `leave_out` must be one that a lexicon could hold.

    Raises:
        NounflowError: if a word stands twice, is unknown to WordNet, or means nothing that is photographed.
    """
    words = [canon(word) for rule in rules.leave_out for word in rule.words]
    shown = {
        canon(lemma)
        for synset in wordnet.synsets.values()
        if verdicts[synset.id].score >= LEAST
        for lemma in synset.lemmas
    }
    for what, wrong in (
        ("twice", [word for word, times in Counter(words).items() if times > 1]),
        ("without effect, as no sense of them is photographed or WordNet lacks them", sorted(set(words) - shown)),
    ):
        if wrong:
            raise NounflowError(
                f"The rule file leaves out words {what}: {', '.join(wrong[:8])}", fix="delete them under `leave_out`"
            )


def kind_of(synset: Synset) -> str:
    """Its class; "person", "animal" and "plant" themselves, which WordNet files above all classes, head theirs."""
    if synset.lexname == "tops" and synset.lemmas[0] in KINDS:
        return synset.lemmas[0]
    return synset.lexname


def is_title(sense: WordSense) -> bool:
    """Whether a word is a person's title, beside a word in small letters: "Holy Father" for a pope; it is an alias."""
    title = sense.spelling != sense.spelling.lower() and not sense.spelling.replace(".", "").isupper()
    return sense.synset.lexname == "person" and title and sense.synset.lemmas[0] == sense.synset.lemmas[0].lower()


def rank_names(wordnet: WordNet) -> dict[str, tuple[str, ...]]:
    """Synset id -> names of the taxonomic ranks whose only member it is: feline -> ("Felidae", "family Felidae")."""
    members: dict[str, set[str]] = {}
    for synset in wordnet.synsets.values():
        for group in synset.groups:
            members.setdefault(group, set()).add(synset.id)
    ranks = {below for group in wordnet.senses("taxonomic group")[:1] for below in wordnet.descendants(group.id)}
    found: dict[str, tuple[str, ...]] = {}
    for group in sorted(ranks & members.keys()):
        kinds = members[group] - ranks
        highest = [kind for kind in kinds if not (wordnet.ancestors(kind).keys() & kinds) - {kind}]
        if len(highest) == 1:
            found[highest[0]] = found.get(highest[0], ()) + wordnet.synsets[group].lemmas
    return found


class SenseOrder:
    """Which of a word's selected senses leads: by its use, by pictures of it, and by what the rule file says."""

    def __init__(self, wordnet: WordNet, rules: Rules) -> None:
        """
        Raises:
            NounflowError: if a rule names a sense that WordNet lacks.
        """
        self.pictured = {wordnet.sense_ids[key] for key in rules.pictured if key in wordnet.sense_ids}
        self._listed = rules.listed_senses
        self._later, self._first, self.left_out = (
            frozenset(
                key
                for rule in of_kind
                for sense, synset in zip(rule.senses, _synsets(wordnet, rule), strict=True)
                for key in (_keys_below(wordnet, synset) if rule.below else (sense,))
            )
            for of_kind in (rules.later, rules.leading, rules.leave_out_senses)
        )

    def rank(self, name: str, sense: WordSense) -> tuple[bool, bool, float]:
        """A key to sort a word's senses by; `name` is the word's canon."""
        synset = sense.synset
        evidence = _PICTURED if synset.id in self.pictured else 1.0
        evidence *= _LISTED if self._listed.get(name) in synset.sense_keys else 1.0
        return sense.key in self._later, sense.key not in self._first, -sense.mass * evidence


def _keys_below(wordnet: WordNet, synset: str) -> Iterator[str]:
    return (key for below in wordnet.descendants(synset) for key in wordnet.synsets[below].sense_keys)


def _synsets(wordnet: WordNet, rule: SenseRule) -> list[str]:
    if missing := [key for key in rule.senses if key not in wordnet.sense_ids]:
        raise NounflowError(
            f"The rule file names senses that this WordNet lacks: {', '.join(missing)}",
            fix="use sense keys that WordNet 3.0 and 3.1 share",
        )
    return [wordnet.sense_ids[key] for key in rule.senses]
