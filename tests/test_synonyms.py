"""Targets that share their weight with synonyms."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from training_material import NO_MANIFEST, Tiny, run_training, write_project

from nounflow.predictors.decoder_training import DecoderTask
from nounflow.predictors.loading import load_predictor
from nounflow.schemas.tables import LEXICON, read_lexicon, write_table
from nounflow.store.training_set import TrainingSet, open_training_set
from nounflow.training.synonyms import share_with_synonyms, synonym_groups


def texts_of(rows: list[list[tuple[int, float]]]) -> TrainingSet:
    """A training set of these rows, each [(noun, weight), ...]."""
    flat = [pair for row in rows for pair in row]
    n = len(rows)
    return TrainingSet(
        manifest=NO_MANIFEST,
        vectors=np.zeros((n, 4), dtype=np.float16),
        targets=np.array([noun for noun, _ in flat], dtype=np.uint32),
        target_weights=np.array([weight for _, weight in flat], dtype=np.float32),
        offsets=np.cumsum([0, *map(len, rows)]),
        weights=np.full(n, 1 / n, dtype=np.float32),
        heldout=np.zeros(n, dtype=bool),
        sources=np.zeros(n, dtype=np.uint16),
    )


def rows_of(texts: TrainingSet) -> list[list[tuple[int, float]]]:
    """What `texts_of` was given."""
    ids, weights, offsets = texts.targets_of(np.arange(len(texts.weights)))
    pairs = list(zip(ids.tolist(), weights.tolist(), strict=True))
    return [pairs[start:end] for start, end in itertools.pairwise(offsets)]


@given(
    rows=st.lists(st.lists(st.tuples(st.integers(0, 9), st.floats(0.01, 1)), min_size=1, max_size=3), min_size=1),
    order=st.permutations(range(10)),
    cuts=st.sets(st.integers(1, 9)),
    share=st.floats(0.01, 0.99),
)
def test_each_target_gives_its_synonyms_equal_parts_of_the_share(
    rows: list[list[tuple[int, float]]], order: list[int], cuts: set[int], share: float
) -> None:
    edges = [0, *sorted(cuts), 10]
    groups = [order[a:b] for a, b in itertools.pairwise(edges) if b - a > 1]
    expected = []
    for row in rows:
        there = []
        for noun, weight in row:
            others = next(([o for o in group if o != noun] for group in groups if noun in group), [])
            there.append((noun, weight * (1 - share) if others else weight))
            there += [(other, weight * share / len(others)) for other in others]
        expected.append(there)
    found = rows_of(share_with_synonyms(texts_of(rows), groups, share))
    assert [[noun for noun, _ in row] for row in found] == [[noun for noun, _ in row] for row in expected]
    for row, there in zip(found, expected, strict=True):
        assert [weight for _, weight in row] == pytest.approx([weight for _, weight in there], rel=1e-5)


def test_a_share_of_nothing_changes_nothing() -> None:
    texts = texts_of([[(0, 1.0)]])
    assert share_with_synonyms(texts, [[0, 1]], 0.0) is texts
    assert share_with_synonyms(texts, [], 0.5) is texts


def test_nouns_of_one_first_synset_are_synonyms_whatever_their_glosses_and_further_senses_are() -> None:
    table = pl.DataFrame(
        {
            "id": [0, 1, 2, 3, 4, 5],
            "gloss": ["seat for many", "animal", "long seat", "", "", "seat for many"],
            "synsets": [["n1", "n4"], ["n2", "n1"], ["n1"], [], [], ["n3"]],
        }
    )
    assert synonym_groups(table) == [[0, 2]]


def test_the_loss_is_that_of_both_nouns_by_their_weights() -> None:
    tiny = Tiny.of()
    model = tiny.model().eval()
    rows = np.flatnonzero(np.diff(tiny.training_set.offsets) == 1)[:20]
    embeddings = torch.from_numpy(tiny.training_set.vectors[rows]).float()
    everyone = range(len(tiny.vocabulary.nouns))
    groups = [[i, i + 1] for i in everyone[::2]]

    def loss(training_set: TrainingSet) -> float:
        parts = DecoderTask(model, tiny.vocabulary, training_set).loss(embeddings, rows)
        return parts.total.item()

    swapped = dataclasses.replace(tiny.training_set, targets=tiny.training_set.targets ^ 1)
    shared = share_with_synonyms(tiny.training_set, groups, 0.3)
    assert loss(shared) == pytest.approx(0.7 * loss(tiny.training_set) + 0.3 * loss(swapped), rel=1e-5)


def test_a_head_gives_a_synonym_its_share_of_the_probability(tmp_path: Path) -> None:
    project = write_project(tmp_path)
    table = read_lexicon(project / "nouns.parquet")
    meaning = pl.Series([["n0"], ["n0"], *([f"n{i}"] for i in range(2, len(table)))])
    write_table(project / "nouns.parquet", table.with_columns(synsets=meaning), LEXICON)
    assert synonym_groups(read_lexicon(project / "nouns.parquet")) == [[0, 1]]
    training = {"samples": 6400, "batch_size": 64, "learning_rate": 0.02, "synonym_share": 0.4, "weight_decay": 0}
    done = run_training(project, tmp_path / "out", {"training": training, "noise": {"scheme": "none"}}, kind="head")
    assert done.returncode == 0, done.stdout
    texts = open_training_set(project / "set/manifest.json")
    rows = np.flatnonzero(~texts.heldout & (np.diff(texts.offsets) == 1) & (texts.targets[texts.offsets[:-1]] == 0))
    both = np.tile(np.array([0, 1]), (len(rows), 1))
    found = load_predictor(tmp_path / "out/manifest.json", "cpu").log_probabilities(
        texts.vectors[rows].astype(np.float32), both
    )
    assert np.allclose(np.exp(found), [0.6, 0.4], atol=0.05)
