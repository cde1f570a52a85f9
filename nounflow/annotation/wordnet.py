"""The `wordnet` annotator: classes a predicted noun against an image's labels by WordNet. Rule: docs/annotations.md."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from nounflow.annotation.judging import Judgement
from nounflow.annotation.nearness import Nearness
from nounflow.annotation.words import OBJECT_KINDS, default_sense, usual_senses
from nounflow.errors import NounflowError
from nounflow.schemas.annotations import CATEGORIES
from nounflow.schemas.labels import Labels
from nounflow.senses import WordSenses
from nounflow.text import canon
from nounflow.wordnet import Synset, WordNet

RULE = "wordnet-1"  # raise it whenever a judgement can change


class _Target(NamedTuple):
    """What the labels say of one thing in the picture."""

    rank: Literal["primary", "secondary"]
    nouns: tuple[str, ...]  # right as they stand
    meanings: tuple[Synset, ...]  # whose words are right too
    gold: tuple[Synset, ...]  # that closeness is measured from


class WordNetAnnotator:
    """Judges nouns by synonymy and distance in WordNet. Deterministic: the same labels and WordNet, the same answer."""

    name = "wordnet"
    rule = RULE

    def __init__(self, wordnet: WordNet) -> None:
        self._wordnet = wordnet
        self._words = WordSenses(wordnet)
        self._nearness = Nearness(wordnet)

    def judge(self, labels: Labels, noun: str) -> Judgement:
        """The best category that a noun reaches against the labels of one image.

        Raises:
            NounflowError: if the labels' sense key is unknown or is none of the gold noun's.
        """
        why = "near no label" if self._words.meanings(noun) else "unknown to WordNet and no label"
        found = [self._judge_target(target, noun) for target in self._targets(labels)]
        judgements = [*filter(None, found), Judgement("incorrect", why)]
        return min(judgements, key=lambda judgement: CATEGORIES.index(judgement.category))  # the first of equals

    def _judge_target(self, target: _Target, noun: str) -> Judgement | None:
        readings = self._words.readings(noun)
        for label in target.nouns:
            if readings & self._label_forms(label):
                same = canon(label) == canon(noun)
                return Judgement(f"correct_{target.rank}", f"{'the' if same else 'a form of the'} label {label}")
        for meaning in target.meanings:
            if readings & _canons(meaning):
                return Judgement(f"correct_{target.rank}", f"synonym of {_show(meaning)}")
        for gold in target.gold:
            for meaning in usual_senses(self._words, noun, OBJECT_KINDS | {gold.lexname}):
                if reason := self._nearness.why_close(gold, meaning):
                    return Judgement(f"close_{target.rank}", reason)
        return None

    def _targets(self, labels: Labels) -> Iterator[_Target]:
        gold = self._gold_sense(labels)
        meanings = [gold, *(self._accepted_sense(noun, gold) for noun in labels.accepted)]
        known = tuple(filter(None, meanings))
        yield _Target("primary", (labels.gold, *labels.accepted), known, known[:1] if gold else known)
        for noun in labels.secondary:
            known = tuple(filter(None, [default_sense(self._words, noun)]))
            yield _Target("secondary", (noun,), known, known)

    def _gold_sense(self, labels: Labels) -> Synset | None:
        """The labelled sense, else the gold noun's commonest object sense; None if WordNet does not know the noun."""
        if not labels.sense:
            return default_sense(self._words, labels.gold)
        synset = self._wordnet.by_sense_key(labels.sense)
        if self._words.meanings(labels.gold) and not self._words.readings(labels.gold) & _canons(synset):
            raise NounflowError(
                f"The sense key {labels.sense} means {_show(synset)}, which is no meaning of '{labels.gold}'",
                fix="correct the `sense` of this image in the label file, or leave it empty",
            )
        return synset

    def _accepted_sense(self, noun: str, gold: Synset | None) -> Synset | None:
        """The meaning of an accepted noun: the one at or close to gold, if any; its commonest if gold has none."""
        if gold is None:
            return default_sense(self._words, noun)
        for synset in (self._wordnet.synsets[sense] for sense in self._words.meanings(noun)):
            if synset == gold or self._nearness.why_close(gold, synset):
                return synset
        return None

    def _label_forms(self, noun: str) -> frozenset[str]:
        """The spellings that a label stands for: itself and its singulars.

        A form that has meanings of its own is not reduced: the label "glasses" is no "glass".
        """
        own = self._words.knows(noun)
        return frozenset({canon(noun)} | {s for s in self._words.singulars(noun) if not (own and self._words.knows(s))})


def _canons(synset: Synset) -> frozenset[str]:
    return frozenset(map(canon, synset.lemmas))


def _show(synset: Synset) -> str:
    return f"{synset.lemmas[0]} ({synset.gloss[:40].strip()})"
