"""Labels as vectors, which nouns mean the same, and what a user's list of labels stands for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nounflow.embedders.prompts import class_embeddings
from nounflow.embedders.protocol import Embedder
from nounflow.schemas.hypernyms import NounHypernyms
from nounflow.text import canon

if TYPE_CHECKING:
    import polars as pl

TEMPLATES = ("{}", "a photo of a {}.", "There is a {} in the scene.")


class NounVectors:
    """`class_embeddings` of nouns, each computed once."""

    def __init__(self, embedder: Embedder, templates: tuple[str, ...] = TEMPLATES) -> None:
        self._embedder, self._templates, self._kept = embedder, templates, dict[str, np.ndarray]()

    def __call__(self, nouns: Sequence[str]) -> np.ndarray:
        """Unit vectors, float32 [nouns, dim]."""
        if new := [noun for noun in dict.fromkeys(nouns) if noun not in self._kept]:
            self._kept |= zip(new, class_embeddings(self._embedder, new, self._templates, progress=False), strict=True)
        return np.stack([self._kept[noun] for noun in nouns])


def texts_of(nouns: Iterable[str]) -> list[str]:
    """The nouns of a list, without space around them; one noun is a list, too.

    Raises:
        TypeError: something in it is no text.
    """
    wanted = [nouns] if isinstance(nouns, str) else list(nouns)
    if strange := [noun for noun in wanted if not isinstance(noun, str)]:
        raise TypeError(f"A list of nouns holds texts, not {type(strange[0]).__name__}")
    return [noun.strip() for noun in wanted if noun.strip()]


def meanings(nouns: pl.DataFrame) -> dict[str, str]:
    """Noun, in the lexicon's form and in canonical form -> its group: nouns of one group mean the same."""
    found: dict[str, str] = {}
    for noun, form, group in nouns.select("noun", "canon", "group").iter_rows():
        found[noun] = found[form] = group or noun
    return found


def columns_of(labels: Sequence[str], same: Mapping[str, str]) -> dict[str, list[int]]:
    """What a noun means -> positions of the labels that mean it."""
    found: dict[str, list[int]] = {}
    for i, label in enumerate(labels):
        found.setdefault(meaning(label, same), []).append(i)
    return found


def meaning(noun: str, same: Mapping[str, str]) -> str:
    """What a noun means; one that the lexicon lacks means itself."""
    form = canon(noun)
    return same.get(noun) or same.get(form) or form


@dataclass(frozen=True)
class LabelList:
    """Labels of a user, and the nouns of a lexicon that speak for them: synonyms, and whatever is a kind of them."""

    labels: tuple[str, ...]
    texts: tuple[str, ...]  # the labels, then the nouns
    rows: tuple[np.ndarray, ...]  # of each label: positions of the texts that speak for it, its own first
    problems: tuple[str, ...]  # labels that stand there twice, or mean the same, in words

    @classmethod
    def of(cls, given: Iterable[str], nouns: Sequence[str], hypernyms: NounHypernyms | None) -> LabelList:
        """Read a list: see `texts_of`.

        Args:
            nouns: of the model.
            hypernyms: what lies above them; None: every label speaks for itself alone.
        """
        texts = texts_of(given)
        labels = tuple(dict.fromkeys(texts))
        problems = [f"{label} stands there {texts.count(label)} times" for label in labels if texts.count(label) > 1]
        spelled: dict[str, str] = {}
        for label in labels:
            if (first := spelled.setdefault(canon(label), label)) != label:
                problems.append(f"{first} = {label}")
        if hypernyms is None:
            return cls(labels, labels, tuple(np.array([i]) for i in range(len(labels))), tuple(problems))
        number, named = dict[str, list[int]](), dict[str, set[str]]()
        for i, noun in enumerate(nouns):
            number.setdefault(canon(noun), []).append(i)
        for synset, name in hypernyms.names.items():
            named.setdefault(canon(name), set()).add(synset)
        groups = [{hypernyms.groups[i] for i in number.get(canon(label), ())} for label in labels]
        for i, own in enumerate(groups):
            others = (labels[j] for j in range(i) if own and own & groups[j])
            problems += [f"{other} = {labels[i]}" for other in others if canon(other) != canon(labels[i])]
        place = {noun: i for i, noun in enumerate(dict.fromkeys((*labels, *nouns)))}
        rows = []
        for label, own in zip(labels, groups, strict=True):
            known = {synset for i in number.get(canon(label), ()) for synset in hypernyms.chains[i][:1]}
            above = known or named.get(canon(label), set())
            speak = [
                place[noun]
                for noun, group, chain in zip(nouns, hypernyms.groups, hypernyms.chains, strict=True)
                if group in own or not above.isdisjoint(chain)
            ]
            rows.append(np.array(list(dict.fromkeys([place[label], *speak])), dtype=np.int64))
        used = np.unique(np.concatenate([np.arange(len(labels)), *rows]))
        order = list(place)
        return cls(
            labels, tuple(order[i] for i in used), tuple(np.searchsorted(used, row) for row in rows), tuple(problems)
        )
