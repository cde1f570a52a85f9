"""What a training run says when it diverges, or does not fit into memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter
from shard_material import write_nouns
from training_material import (
    DIM,
    NAMES,
    RUN,
    Tiny,
    random_vocabulary,
    several_targets,
    tiny_training_set,
    write_project,
)

from nounflow.config.decoder import DecoderConfig
from nounflow.config.embedder import EmbedderConfig
from nounflow.config.head import HeadConfig
from nounflow.config.runs.run import AnyRun
from nounflow.config.training import TrainingConfig
from nounflow.decoder.model import ObjectDecoder
from nounflow.errors import MismatchError, NounflowError
from nounflow.predictor_kinds import PREDICTORS, TrainingArguments
from nounflow.predictors.decoder_training import DecoderTask
from nounflow.predictors.head import NounHead
from nounflow.predictors.head_training import HeadTask
from nounflow.registry import resolve
from nounflow.streams import stream
from nounflow.training.memory import activation_bytes, check_size, require


@pytest.mark.parametrize("kind", ["decoder", "head", "retrieval"])
def test_a_lexicon_of_other_nouns_is_refused_before_anything_is_learnt(kind: str, tmp_path: Path) -> None:
    project = write_project(tmp_path)
    write_nouns(project / "nouns.parquet", [*NAMES[1:], NAMES[0]])
    settings, embedder = (
        TypeAdapter(AnyRun).validate_python({**RUN, "predictor": kind}),
        EmbedderConfig(spec="bundled:minilm-conse"),
    )
    asked = TrainingArguments(
        run="r", settings=settings, training_set=project / "set/manifest.json", nouns=project / "nouns.parquet",
        captions=[], gap=[], parts=[], embedder=embedder, device="cpu", restart=False, out=tmp_path / "m.json", code="",
    )  # fmt: skip
    with pytest.raises(MismatchError, match="another one than that of"):
        resolve(PREDICTORS[kind].train)(asked)


def test_a_diverging_run_stops_with_the_step_and_its_rows() -> None:
    tiny = Tiny.of()
    model = tiny.model()
    with torch.no_grad():
        model.tokens.weight[0, 0] = float("nan")
    with pytest.raises(NounflowError, match="at step 1 of 10") as caught:
        tiny.train(model=model)
    assert "learning_rate" in str(caught.value)
    rows = tiny.training_set.draw(stream(1, "samples", 0), 64)
    assert f"rows of the step: {', '.join(map(str, rows[:20]))} ... (64 in all)" in str(caught.value)
    assert "last good checkpoint: none" in str(caught.value)


def test_a_broken_embedding_is_named_by_its_row() -> None:
    tiny = Tiny.of()
    assert isinstance(tiny.training_set.vectors, np.ndarray)
    tiny.training_set.vectors[13, 0] = np.inf
    with pytest.raises(NounflowError, match="not finite are the embeddings of rows 13") as caught:
        tiny.train()
    first = next(step for step in range(10) if 13 in tiny.training_set.draw(stream(1, "samples", step), 64))
    assert f"at step {first + 1} of 10" in str(caught.value)


def test_a_model_too_large_for_memory_is_refused_before_it_is_made() -> None:
    def build() -> ObjectDecoder:
        return ObjectDecoder(768, 50_000, 9, DecoderConfig(width=262_144, heads=8, layers=40))

    with pytest.raises(NounflowError) as caught:
        check_size(build, TrainingConfig(ema=0.9), "cpu")
    for part in ("GiB are free", "weights (", "gradients", "optimiser", "averaged weights"):
        assert part in str(caught.value)


def test_activations_too_large_for_memory_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nounflow.training.memory.free_memory", lambda _device: 1_000_000)
    with pytest.raises(NounflowError, match="activations of 64 samples") as caught:
        Tiny.of().train()
    assert "micro_batch" in str(caught.value)


def test_memory_that_cannot_be_known_refuses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nounflow.training.memory.free_memory", lambda _device: None)
    require({"weights": 1 << 60}, "cpu")


@pytest.mark.parametrize("kind", ["decoder", "head"])
def test_the_estimate_of_activations_is_what_the_backward_pass_keeps(kind: str) -> None:
    vocabulary, training_set = random_vocabulary(64, seed=9), several_targets(tiny_training_set(64))
    config = DecoderConfig(prefix_tokens=4, width=64, heads=4, layers=3, dropout=0.0)
    task: DecoderTask | HeadTask
    if kind == "decoder":
        task = DecoderTask(ObjectDecoder(DIM, vocabulary.size, vocabulary.max_tokens, config), vocabulary, training_set)
    else:
        task = HeadTask(NounHead(DIM, 64, HeadConfig(hidden=32)), training_set)
    rows = np.arange(256)
    rows = rows[np.argsort(task.cost(rows), kind="stable")]
    estimate = activation_bytes(task, DIM, rows, "cpu", None)
    kept = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        loss = task.loss(torch.randn(256, DIM), rows)
    weights = sum(parameter.untyped_storage().nbytes() for parameter in task.module.parameters())
    assert 0.7 * (sum(kept.values()) - weights) < estimate < 1.5 * sum(kept.values())
    del loss
