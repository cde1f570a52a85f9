"""How likely a photograph's main thing is of a synset: a sum of documented terms, put through the logistic function.

The terms of a synset are its class, what stands above it, the words of its gloss, the form of its first word, and
whether ImageNet-12k has pictures of it. `resources/nouns/visualness.tsv` holds their weights, which
`benchmarks/fit_visualness.py` fits; `resources/nouns/decisions.tsv` holds the senses for which the sum is wrong, each
with its reason.
"""

import math
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from nounflow.errors import NounflowError
from nounflow.text import word_set
from nounflow.wordnet import Synset, WordNet

_WORD = re.compile(r"[a-z]+")
_EMPTY = word_set("""a an the of or and in to with for that is by on as from at it its which are be used having very
    usually especially some any into""")
_SUFFIXES = ("er", "or", "ist", "ian", "ness", "ism", "tion", "ity", "ment", "ing", "ia", "itis", "ology", "ship")
_RULE = "the rule's terms"


@dataclass(frozen=True)
class Decision:
    """A sense for which the sum of terms is wrong."""

    photographed: bool
    reason: str


@dataclass(frozen=True)
class Verdict:
    """How photographable a synset is, and why."""

    score: float  # 0 to 1
    reason: str


def terms(wordnet: WordNet, synset: Synset, pictured: bool) -> Iterator[str]:
    """The terms of a synset, each once: "class:food", "below:tree%1:20:00::", "gloss:leaves", "pictured" ..."""
    yield f"class:{synset.lexname}"
    words = [word for word in _WORD.findall(synset.gloss.lower()) if word not in _EMPTY]
    yield from (f"gloss:{word}" for word in sorted(set(words)))
    if words:
        yield f"first:{words[0]}"
    for above, edges in wordnet.ancestors(synset.id).items():
        if edges:
            yield f"below:{wordnet.synsets[above].sense_keys[0]}"
    lemma = synset.lemmas[0]
    yield f"head:{re.split('[ -]', lemma.lower())[-1]}"
    yield from (f"suffix:{suffix}" for suffix in _SUFFIXES if lemma.lower().endswith(suffix))
    if " " in lemma:
        yield "compound"
    if lemma != lemma.lower():
        yield "capital"
        yield f"capital:{synset.lexname}"
    if pictured:
        yield "pictured"
        yield f"pictured:{synset.lexname}"


def visualness(
    wordnet: WordNet, weights: Mapping[str, float], decisions: Mapping[str, Decision], pictured: Collection[str]
) -> dict[str, Verdict]:
    """A verdict for every synset. `decisions` and `pictured` name senses by their keys.

    Names of single things (instances) and taxonomic groups score 0 but for a decision: they are names and ranks.

    Raises:
        NounflowError: if a decision names a sense that this WordNet lacks, or says what the terms say anyway.
    """
    decided = {_synset_of(wordnet, key): decision for key, decision in decisions.items()}
    shown = {wordnet.sense_ids[key] for key in pictured if key in wordnet.sense_ids}
    ranks = frozenset(
        below for group in wordnet.senses("taxonomic group")[:1] for below in wordnet.descendants(group.id)
    )
    verdicts, idle = {}, []
    for synset in wordnet.synsets.values():
        found = _by_terms(wordnet, synset, weights, shown, ranks)
        decision = decided.get(synset.id)
        if decision is not None and decision.photographed == (found.score > 0.5):
            idle.append(synset.sense_keys[0])
        elif decision is not None:
            found = Verdict(float(decision.photographed), decision.reason)
        verdicts[synset.id] = found
    if idle:
        raise NounflowError(
            f"Decisions without effect, for the rule of visualness says the same: {', '.join(idle[:5])}",
            where="decisions.tsv",
            fix="delete their lines",
        )
    return verdicts


def _by_terms(
    wordnet: WordNet, synset: Synset, weights: Mapping[str, float], shown: Collection[str], ranks: Collection[str]
) -> Verdict:
    if synset.is_instance:
        return Verdict(0.0, "name of a single thing")
    if synset.id in ranks:
        return Verdict(0.0, "rank of a taxonomy")
    total = weights.get("bias", 0.0) + sum(
        weights.get(term, 0.0) for term in terms(wordnet, synset, synset.id in shown)
    )
    return Verdict(1 / (1 + math.exp(-total)), _RULE)


def _synset_of(wordnet: WordNet, key: str) -> str:
    if key not in wordnet.sense_ids:
        raise NounflowError(
            f"decisions.tsv names a sense that this WordNet lacks: {key}",
            fix="use sense keys that WordNet 3.0 and 3.1 share",
        )
    return wordnet.sense_ids[key]
