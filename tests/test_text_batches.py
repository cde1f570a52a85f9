"""Batches of texts: every text once, and how large they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tower_material import load, spec_of

from nounflow.embedders import text_encoder
from nounflow.embedders.batch_size import CPU_TOKENS, find_batch_tokens, recorded_batch_tokens
from nounflow.embedders.batching import stream_batches
from nounflow.errors import NounflowError


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(st.integers(0, 70), max_size=30), max_size=6), st.integers(64, 300))
def test_streamed_batches_hold_every_text_once_in_one_shape_a_width(
    portions: list[list[int]], batch_tokens: int
) -> None:
    tokens = [[[number] * length for number, length in enumerate(portion)] for portion in portions]
    flat = [ids for portion in tokens for ids in portion]
    seen: list[int] = []
    sizes: dict[int, int] = {}
    partial: dict[int, int] = {}
    for batch in stream_batches(tokens, batch_tokens, longest=70):
        assert batch.tokens == [flat[number] for number in batch.numbers]
        assert all(len(row) <= batch.width <= 70 for row in batch.tokens)
        assert sizes.setdefault(batch.width, batch.size) == batch.size
        partial[batch.width] = partial.get(batch.width, 0) + (len(batch.numbers) < batch.size)
        seen += batch.numbers
    assert sorted(seen) == list(range(len(flat)))
    assert all(count <= 1 for count in partial.values())


def test_the_batch_size_doubles_until_memory_is_out_or_nothing_is_gained(capsys: pytest.CaptureFixture[str]) -> None:
    def rate(tokens: int) -> float:
        if tokens > 32768:
            raise torch.OutOfMemoryError
        return float(tokens)

    assert find_batch_tokens(rate, "cuda") == 32768
    assert find_batch_tokens(lambda tokens: min(tokens, 9000.0), "cuda") == 16384
    assert "16,384" in capsys.readouterr().out
    assert find_batch_tokens(rate, "cpu") == CPU_TOKENS


def test_a_gpu_without_room_for_one_batch_is_a_plain_message() -> None:
    def rate(_tokens: int) -> float:
        raise torch.OutOfMemoryError

    with pytest.raises(NounflowError, match="no room"):
        find_batch_tokens(rate, "cuda")


def test_the_trial_measures_the_real_path(folders: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_encoder, "find_batch_tokens", lambda rate, _device: 2048 if rate(2048) > 0 else 0)
    model = load(spec_of("CLIP", folders))
    assert model.batch_tokens == 2048


def test_further_shards_take_the_batch_size_that_is_recorded(tmp_path: Path) -> None:
    (tmp_path / "0.counts.json").write_text("[]")
    (tmp_path / "0.json").write_text('{"embedder": {"digest": "aa"}, "batch_tokens": 8192}')
    assert recorded_batch_tokens(tmp_path, "aa") == 8192
    assert recorded_batch_tokens(tmp_path, "bb") is None
