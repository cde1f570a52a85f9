"""The `wordnet` annotator: classes a predicted noun against an image's labels by WordNet. Rule: docs/annotations.md."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from nounflow.annotation.judging import Judgement
from nounflow.annotation.nearness import Nearness
from nounflow.annotation.words import OBJECT_KINDS, Vocabulary
from nounflow.errors import NounflowError
from nounflow.schemas.documents import CATEGORIES, Labels
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
        self._words = Vocabulary(wordnet)
        self._nearness = Nearness(wordnet)

    def judge(self, labels: Labels, noun: str) -> Judgement:
        """The best category that a noun reaches against the labels of one image.

        Raises:
            NounflowError: if the labels' sense key is unknown or is none of the gold noun's.
        """
        best = Judgement("incorrect", self._why_incorrect(noun))
        for target in self._targets(labels):
            found = self._judge_target(target, noun)
            if found and CATEGORIES.index(found.category) < CATEGORIES.index(best.category):
                best = found
        return best

    def _judge_target(self, target: _Target, noun: str) -> Judgement | None:
        readings = self._words.readings(noun)
        for label in target.nouns:
            if readings & self._words.forms(label):
                same = canon(label) == canon(noun)
                return Judgement(f"correct_{target.rank}", f"{'the' if same else 'a form of the'} label {label}")
        for meaning in target.meanings:
            if readings & self._words.lemmas(meaning):
                return Judgement(f"correct_{target.rank}", f"synonym of {_show(meaning)}")
        for gold in target.gold:
            for meaning in self._words.usual_senses(noun, OBJECT_KINDS | {gold.lexname}):
                if reason := self._nearness.why_close(gold, meaning):
                    return Judgement(f"close_{target.rank}", reason)
        return None

    def _targets(self, labels: Labels) -> Iterator[_Target]:
        gold = self._gold_sense(labels)
        accepted = tuple(filter(None, (self._accepted_sense(noun, gold) for noun in labels.accepted)))
        golds = (gold,) if gold else accepted
        yield _Target("primary", (labels.gold, *labels.accepted), tuple(filter(None, (gold, *accepted))), golds)
        for noun in labels.secondary:
            meanings = tuple(filter(None, (self._words.default_sense(noun),)))
            yield _Target("secondary", (noun,), meanings, meanings)

    def _gold_sense(self, labels: Labels) -> Synset | None:
        """The labelled sense, else the gold noun's commonest object sense; None if WordNet does not know the noun."""
        if not labels.sense:
            return self._words.default_sense(labels.gold)
        synset = self._wordnet.by_sense_key(labels.sense)
        if self._words.senses(labels.gold) and not self._words.readings(labels.gold) & self._words.lemmas(synset):
            raise NounflowError(
                f"The sense key {labels.sense} means {_show(synset)}, which is no meaning of '{labels.gold}'",
                fix="correct the `sense` of this image in the label file, or leave it empty",
            )
        return synset

    def _accepted_sense(self, noun: str, gold: Synset | None) -> Synset | None:
        """The meaning of an accepted noun: the one at or close to gold, if any; its commonest if gold has none."""
        if gold is None:
            return self._words.default_sense(noun)
        for synset in self._words.senses(noun):
            if synset == gold or self._nearness.why_close(gold, synset):
                return synset
        return None

    def _why_incorrect(self, noun: str) -> str:
        return "near no label" if self._words.senses(noun) else "unknown to WordNet and no label"


def _show(synset: Synset) -> str:
    return f"{synset.lemmas[0]} ({synset.gloss[:40].strip()})"
