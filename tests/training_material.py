"""Small things to train on, in memory and on disk, and the training scripts as processes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import polars as pl
import torch
from shard_material import write_nouns

from nounflow.config.decoder import DecoderConfig
from nounflow.config.noise import NoiseConfig
from nounflow.config.runs.decoder import DecoderRun
from nounflow.config.training import TrainingConfig
from nounflow.decoder.model import ObjectDecoder
from nounflow.decoder.vocabulary import TargetVocabulary
from nounflow.files import sha256_text
from nounflow.predictors.decoder_training import DecoderTask
from nounflow.schemas.embeddings import EmbedderIdentity, TrainingSetManifest
from nounflow.schemas.tables import CAPTIONS, lexicon_digest, write_table
from nounflow.store.merging import merge
from nounflow.store.shard_writing import write_shard
from nounflow.store.texts import text_keys
from nounflow.store.training_set import TrainingSet
from nounflow.training.checkpoint import Checkpoints
from nounflow.training.curves import Curves
from nounflow.training.loop import TrainingRun
from nounflow.training.processes import Processes
from nounflow.training.validation import Samples, hold_out

DIM = 24
SMALL = DecoderConfig(prefix_tokens=4, width=32, heads=4, layers=2, dropout=0.0)
NAMES = [
    "cat", "dog", "owl", "teapot", "fire engine", "hippopotamus", "kite", "x-ray", "water lily", "umbrella", "plum",
    "violin", "lighthouse", "ice cream", "dragonfly", "wheelbarrow",
]  # fmt: skip


NO_MANIFEST = cast("TrainingSetManifest", None)  # of training sets that never were files: nothing reads it
RUN = {"lexicon": "tiny", "embedder": "bundled", "mixture": "m1"}  # names of a run's parts


def random_vocabulary(nouns: int, seed: int = 0, tokens: int = 40, longest: int = 4) -> TargetVocabulary:
    """Nouns of random tokens, no two alike."""
    generator = np.random.default_rng(seed)
    found: set[tuple[int, ...]] = set()
    while len(found) < nouns:
        found.add(tuple(generator.integers(1000, 1000 + tokens, generator.integers(1, longest + 1)).tolist()))
    return TargetVocabulary.build([f"noun {i}" for i in range(nouns)], [list(ids) for ids in sorted(found)])


def tiny_training_set(nouns: int, samples_per_noun: int = 4, dim: int = DIM, seed: int = 0) -> TrainingSet:
    """Each noun a direction; its samples lie near it. Every fourth sample is held out."""
    generator = np.random.default_rng(seed)
    centres = generator.standard_normal((nouns, dim))
    labels = np.repeat(np.arange(nouns), samples_per_noun)
    vectors = centres[labels] + 0.05 * generator.standard_normal((len(labels), dim))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    n = len(labels)
    heldout = np.arange(n) % samples_per_noun == 0
    weights = np.where(heldout, 0.0, 1.0)
    return TrainingSet(
        manifest=NO_MANIFEST,
        vectors=vectors.astype(np.float16),
        targets=labels,
        target_weights=np.ones(n, dtype=np.float32),
        offsets=np.arange(n + 1),
        weights=weights / weights.sum(),
        heldout=heldout,
        sources=np.zeros(n, dtype=np.uint16),
    )


def several_targets(training_set: TrainingSet, seed: int = 0) -> TrainingSet:
    """The same texts, each with one to three targets of random weights."""
    generator = np.random.default_rng(seed)
    counts = generator.integers(1, 4, len(training_set.weights))
    offsets = np.concatenate([[0], np.cumsum(counts)])
    return replace(
        training_set,
        targets=generator.integers(0, training_set.targets.max() + 1, offsets[-1]),
        target_weights=generator.random(offsets[-1]).astype(np.float32) + 0.1,
        offsets=offsets,
    )


@dataclass
class Tiny:
    """A vocabulary, a training set and settings; `train` makes a new decoder each time."""

    vocabulary: TargetVocabulary
    training_set: TrainingSet
    settings: DecoderRun

    @classmethod
    def of(
        cls,
        nouns: int = 8,
        seed: int = 1,
        config: DecoderConfig = SMALL,
        training_set: TrainingSet | None = None,
        noise: float = 0.1,
        **training: Any,
    ) -> Tiny:
        """Settings are those of the tests of learning unless they are given."""
        training = {"samples": 640, "batch_size": 64, "learning_rate": 5e-3, **training}
        settings = DecoderRun(
            **RUN, decoder=config, noise=NoiseConfig(norm=noise), training=TrainingConfig(**training), seed=seed
        )
        return cls(random_vocabulary(nouns, seed=9), training_set or tiny_training_set(nouns), settings)

    @property
    def samples(self) -> Samples:
        """What is trained on and what is held out."""
        return hold_out(self.training_set, self.settings.training, self.vocabulary.nouns)

    def model(self) -> ObjectDecoder:
        """A new decoder, the same each time."""
        torch.manual_seed(self.settings.seed)
        return ObjectDecoder(DIM, self.vocabulary.size, self.vocabulary.max_tokens, self.settings.decoder)

    def train(
        self,
        checkpoints: Checkpoints | None = None,
        on_metrics: Callable[[Curves], None] = lambda _curves: None,
        processes: Processes = Processes("cpu"),  # noqa: B008
        model: ObjectDecoder | None = None,
    ) -> tuple[ObjectDecoder, Curves]:
        """(model, curves) after training."""
        model = model or self.model()
        task = DecoderTask(model, self.vocabulary, self.training_set, self.settings.training.label_smoothing)
        run = TrainingRun(task, self.samples, self.settings, processes, None, checkpoints)
        return model, run.train(on_metrics)


def same_weights(first: torch.nn.Module, second: torch.nn.Module) -> bool:
    """Whether two modules have the same bytes."""
    states = first.state_dict(), second.state_dict()
    return all(torch.equal(states[0][name], states[1][name]) for name in states[0])


# --- on disk ---


def write_project(folder: Path, texts_per_noun: int = 6, logit_scale: float | None = None) -> Path:
    """A lexicon, captions of one source, their embeddings and the training set under `folder`."""
    write_nouns(folder / "nouns.parquet", NAMES)
    n = len(NAMES) * texts_per_noun
    texts = [f"text {i} of {NAMES[i % len(NAMES)]}" for i in range(n)]
    table = pl.DataFrame(
        {
            "text": texts,
            "targets": [[i % len(NAMES)] for i in range(n)],
            "target_weights": [[1.0]] * n,
            "weight": [1.0] * n,
            "template": [f"template-{i // len(NAMES)}" for i in range(n)],
        }
    )
    write_table(folder / "captions/m1.parquet", table, CAPTIONS)
    generator = np.random.default_rng(0)
    centres = generator.standard_normal((len(NAMES), DIM))
    vectors = centres[np.arange(n) % len(NAMES)] + 0.1 * generator.standard_normal((n, DIM))
    identity = EmbedderIdentity(
        spec="bundled:minilm-conse", dim=DIM, digest="d", weights="w", tokenizer="t", preprocessing="p", precision="p",
        logit_scale=logit_scale,
    )  # fmt: skip
    write_shard(
        folder / "shards/m1/0.json",
        vectors / np.linalg.norm(vectors, axis=1, keepdims=True),
        embedder=identity,
        lexicon=lexicon_digest(NAMES),
        source="m1",
        start=0,
        texts=sha256_text(*texts),
        batch_tokens=64,
        keys=text_keys(texts),
    )
    merge(
        folder / "set",
        folder / "nouns.parquet",
        {"m1": folder / "captions/m1.parquet"},
        {"m1": [folder / "shards/m1/0.json"]},
        {"m1": 1.0},
        0.2,
    )
    return folder


def training_command(
    project: Path,
    out: Path,
    settings: dict[str, Any],
    *options: str,
    kind: str = "decoder",
    run: str = "tiny",
    launcher: tuple[str, ...] = (),
) -> list[str]:
    """The command line of the script that trains, on a project on disk."""
    script = Path(__file__).resolve().parent.parent / "workflow_scripts/train_model.py"
    settings = {**RUN, "predictor": kind, **settings}
    embedder = ["--embedder", '{"spec": "bundled:minilm-conse"}']
    return [
        *(launcher or (sys.executable,)), str(script), "--run", run, "--training-set",
        str(project / "set/manifest.json"), "--nouns", str(project / "nouns.parquet"), *embedder, "--settings",
        json.dumps(settings), "--device", "cpu", "--threads", "1", "--out", str(out / "manifest.json"), *options,
    ]  # fmt: skip


def run_training(*arguments: Any, **keywords: Any) -> subprocess.CompletedProcess[str]:
    """Run a training script to its end, stdout and stderr in one."""
    command = training_command(*arguments, **keywords)
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
