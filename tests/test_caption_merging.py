"""From rows to a table of captions: how many texts a noun gets, equal texts merged, memory that does not grow."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from caption_material import mass, written
from hypothesis import given, settings
from hypothesis import strategies as st

from nounflow.captions import multisets, writing
from nounflow.captions.multisets import compose
from nounflow.captions.quotas import quotas
from nounflow.captions.spool import Spool
from nounflow.captions.table import CaptionDraft, Row, frame_of, merge_equal_texts
from nounflow.captions.templates import Templates
from nounflow.captions.writing import merged, write_draft
from nounflow.config.captions import MultisetConfig, SourceConfig
from nounflow.errors import NounflowError
from nounflow.schemas import tables
from nounflow.schemas.tables import CAPTIONS, read_table


@settings(max_examples=60, deadline=None)
@given(
    weights=st.lists(st.floats(1, 20), min_size=1, max_size=50),
    mean=st.integers(1, 30), low=st.integers(1, 10), span=st.integers(0, 40),
)  # fmt: skip
def test_quotas_keep_their_bounds_and_their_mean(weights: list[float], mean: int, low: int, span: int) -> None:
    numbers = quotas(np.array(weights), mean, low, low + span)
    assert numbers.min() >= low
    assert numbers.max() <= low + span
    assert numbers.sum() == len(weights) * min(max(mean, low), low + span)


def test_quotas_grow_with_the_weight() -> None:
    assert quotas(np.array([1.0, 2.0, 3.0, 4.0]), 10, 5, 16).tolist() == [5, 8, 12, 15]


def test_equal_texts_become_one_with_the_targets_of_both_by_their_weights() -> None:
    rows: list[Row] = []
    rows.append(("two axes.", (3,), 1.0, "a"))
    rows.append(("a dog.", (1,), 2.0, "b"))
    rows.append(("two axes.", (7,), 3.0, "c"))
    rows.append(("two axes.", (3,), 1.0, "c"))
    merged = merge_equal_texts(frame_of(rows))
    assert merged.rows() == [("two axes.", [3, 7], pytest.approx([0.4, 0.6]), 5.0, "a"), ("a dog.", [1], [1.0], 2, "b")]
    assert list(merged.schema.items()) == list(frame_of(rows).schema.items())


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.lists(st.integers(0, 5), min_size=1, max_size=3, unique=True),
                  st.floats(0.5, 9)), min_size=1, max_size=30)
)  # fmt: skip
def test_merging_keeps_each_targets_share_of_the_draws(entries: list[tuple[str, list[int], float]]) -> None:
    rows: list[Row] = []
    for text, targets, weight in entries:
        rows.append((text, targets, weight, "t"))
    table = frame_of(rows)
    merged = merge_equal_texts(table)
    assert merged["text"].to_list() == list(dict.fromkeys(text for text, _, _ in entries))
    for row in merged.iter_rows(named=True):
        assert sum(row["target_weights"]) == pytest.approx(1, abs=1e-5)
        assert len(set(row["targets"])) == len(row["targets"])
    assert mass(merged) == pytest.approx(mass(table), rel=1e-4)


ANY_ROWS = st.lists(
    st.tuples(st.sampled_from("abcdefgh"), st.lists(st.integers(0, 5), min_size=1, max_size=3, unique=True),
              st.floats(0.5, 9, width=32)), min_size=1, max_size=40
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(ANY_ROWS, st.integers(1, 45), st.integers(1, 20))
def test_merging_window_by_window_on_disk_gives_what_merging_at_once_gives(
    entries: list[tuple[str, list[int], float]], window: int, batch: int
) -> None:
    rows: list[Row] = []
    for i, (text, targets, weight) in enumerate(entries):
        rows.append((text, targets, weight, f"t{i}"))
    table = frame_of(rows)
    batches = [table[start : start + batch] for start in range(0, len(table), batch)]
    with tempfile.TemporaryDirectory() as folder:
        assert pl.concat(merged(batches, Path(folder), window)).equals(merge_equal_texts(table))
        assert not list(Path(folder).iterdir())


def test_two_texts_with_one_hash_stay_two(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    rows: list[Row] = []
    for text in "abacabdaeb":
        rows.append((text, (ord(text),), 1.0, "t"))
    table = frame_of(rows)
    monkeypatch.setattr(writing, "_hashes", lambda frame: np.zeros(len(frame), dtype=np.uint64))
    found = pl.concat(merged([table], tmp_path, 3))
    assert found.sort("text").equals(merge_equal_texts(table).sort("text"))


def test_a_table_of_several_row_groups_holds_the_same_rows(
    nouns: pl.DataFrame, templates: Templates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = SourceConfig(texts_per_noun=40)
    whole, counts = written(compose(nouns, templates, "m1", wanted, 1))
    monkeypatch.setattr(tables, "ROW_GROUP", 100)
    monkeypatch.setattr(multisets, "ROW_GROUP", 100)
    monkeypatch.setattr(writing.merged, "__defaults__", (100,))
    path = tmp_path / "m1.parquet"
    assert write_draft(path, compose(nouns, templates, "m1", wanted, 1)).as_dict() == counts.as_dict()
    assert read_table(path, CAPTIONS, "captions").equals(whole)
    assert pq.ParquetFile(path).num_row_groups == -(-len(whole) // 100) > 5
    assert pl.concat(tables.read_batches(path, CAPTIONS, "captions", 70)).equals(whole)


def test_a_draft_that_fails_leaves_no_file(nouns: pl.DataFrame, templates: Templates, tmp_path: Path) -> None:
    draft = compose(nouns, templates, "m1", MultisetConfig().of("m1"), 1)

    def failing() -> Iterator[pl.DataFrame]:
        yield from draft.batches
        raise NounflowError("as scripted")

    with pytest.raises(NounflowError, match="as scripted"):
        write_draft(tmp_path / "m1.parquet", CaptionDraft(failing(), draft.count))
    assert list(tmp_path.iterdir()) == []


def test_a_spool_gives_back_each_chain_in_order_and_leaves_nothing(tmp_path: Path) -> None:
    with Spool(tmp_path) as spool:
        for i in range(50):
            spool.append(i % 7, bytes([i]) * i)
            if i % 10 == 0:
                assert list(spool.pieces(0)) == [bytes([j]) * j for j in range(0, i + 1, 7)]
        for chain in range(7):
            assert list(spool.pieces(chain)) == [bytes([j]) * j for j in range(chain, 50, 7)]
        assert list(spool.pieces("unknown")) == []
        assert list(tmp_path.iterdir()) == []
