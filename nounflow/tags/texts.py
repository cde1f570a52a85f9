"""Labels as vectors, and which nouns mean the same."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from nounflow.embedders.protocol import Embedder
from nounflow.text import canon


def label_vectors(embedder: Embedder, labels: Sequence[str], templates: Sequence[str]) -> np.ndarray:
    """The direction of the mean of each label's texts, float32 [labels, dim]."""
    texts = [template.format(label) for template in templates for label in labels]
    vectors = embedder.encode_texts(texts, progress=False).reshape(len(templates), len(labels), -1).mean(axis=0)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


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


def repeated(labels: Sequence[str], same: Mapping[str, str]) -> list[str]:
    """Labels of a list that are listed twice or mean the same as another, in words."""
    groups = columns_of(labels, same)
    return [" = ".join(labels[i] for i in places) for places in groups.values() if len(places) > 1]
