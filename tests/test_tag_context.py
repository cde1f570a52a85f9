"""Context words of labels that are learnt through a frozen text tower."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from shard_material import identity, unit_rows
from torch.nn import functional as F

from nounflow.config.tags import TagMethodConfig
from nounflow.config.training import TrainingConfig
from nounflow.embedders.text_encoder import TextEncoder
from nounflow.embedders.text_tower import TextTower, TowerLayer
from nounflow.errors import NounflowError
from nounflow.schemas.tag_labels import TagLabels
from nounflow.tags.adapter import load_adapter
from nounflow.tags.context import LearntContext
from nounflow.tags.evaluation import Images
from nounflow.tags.training import train_on_images
from nounflow.training.curves import Reporter

WIDTH = 16
TEMPLATES = ("{}", "there is a {} in it")
WORDS = ["", "<start>", "there", "is", "a", "in", "it", "cat", *"opqrs", "<end>"]  # the end has the greatest id
LABELS = ("cat", *"opqrs")


def tiny_tower() -> TextTower:
    """A causal tower of one layer of random weights, pooled at its end token, as CLIP's are."""
    generator = torch.Generator().manual_seed(0)

    def drawn(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator) * 0.3

    def linear(out: int, inside: int) -> tuple[torch.Tensor, torch.Tensor]:
        return 1.4 * drawn(out, inside), drawn(out)

    norm = (torch.ones(WIDTH), torch.zeros(WIDTH))
    layer = TowerLayer(
        norm1=norm, query=linear(WIDTH, WIDTH), key_value=linear(2 * WIDTH, WIDTH), out=linear(WIDTH, WIDTH),
        norm2=norm, up=linear(2 * WIDTH, WIDTH), down=linear(WIDTH, 2 * WIDTH),
    )  # fmt: skip
    return TextTower(
        tokens=3 * drawn(len(WORDS), WIDTH), positions=drawn(12, WIDTH), layers=[layer, layer], final_norm=norm,
        projection=(3 * drawn(WIDTH, WIDTH), None), heads=2, epsilon=1e-5, activation=F.gelu, causal=True,
        pooling="argmax",
    )  # fmt: skip


class Tiny:
    """An embedder of texts only."""

    identity, dim, device = identity(dim=WIDTH), WIDTH, "cpu"

    def __init__(self, tower: TextTower | None) -> None:
        self.tower = tower
        self.texts = TextEncoder(
            name="tiny",
            tokenise=lambda texts: [[WORDS.index(word) for word in ("<start>", *t.split(), "<end>")] for t in texts],
            forward=tower or tiny_tower(),
            golden=np.zeros((1, WIDTH), np.float32),
            context=12,
            pad=0,
            device="cpu",
            wanted_batch_tokens=256,
            tower=tower,
        )
        self.open_texts = self.texts if tower else None

    def encode_texts(self, texts: list[str]) -> np.ndarray:
        return self.texts.encode(texts, progress=False)


def label_means(embedder: Any) -> np.ndarray:
    vectors = embedder.encode_texts([t.format(label) for t in TEMPLATES for label in LABELS])
    mean = vectors.reshape(len(TEMPLATES), len(LABELS), -1).mean(0)
    return np.asarray(mean / np.linalg.norm(mean, axis=1, keepdims=True))


def images_elsewhere(embedder: Any) -> Images:
    """Images of one label each of six; they lie where the labels would under other context words."""
    other = LearntContext(embedder, TEMPLATES)
    with torch.no_grad():
        other.words[1] += 3 * torch.randn(3, WIDTH, generator=torch.Generator().manual_seed(5))
    values = np.full((60, 6), -1, dtype=np.int8)
    values[np.arange(60), np.arange(60) % 6] = 1
    aims = other.moved_labels(LABELS, label_means(embedder))
    units = aims[np.arange(60) % 6][:, None] + 0.05 * unit_rows(60 * 4, 1, WIDTH).reshape(60, 4, WIDTH)
    units = (units / np.linalg.norm(units, axis=2, keepdims=True)).astype(np.float32)
    names = tuple(f"{i:02}.png" for i in range(60))
    splits = tuple("train" if i < 40 else "val" for i in range(60))
    truth = TagLabels(names, LABELS, values, splits, frozenset(LABELS[:4]))
    return Images(truth, units[:, 0], units[:, 1:], label_means(embedder))


def test_learning_begins_with_the_templates_words_and_an_end_that_is_not_in_the_way() -> None:
    embedder: Any = Tiny(tiny_tower())
    module = LearntContext(embedder, TEMPLATES)
    assert [len(part) for part in module.words] == [0, 3]
    assert module.moved_labels(LABELS, np.zeros(0)) == pytest.approx(label_means(embedder), abs=1e-6)
    assert set(module.state_dict()) == {"words.0", "words.1"}, "the tower is no part of what is kept"


def test_the_loss_falls_the_tower_stays_and_a_stopped_training_goes_on_to_the_same_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedder: Any = Tiny(tiny_tower())
    before = [embedder.tower.tokens.clone(), embedder.tower.layers[0].up[0].clone()]
    images = images_elsewhere(embedder)
    training = TrainingConfig(
        samples=800, batch_size=20, evaluations=2, learning_rate=0.05, precision="fp32", checkpoint_steps=1
    )
    config = TagMethodConfig(how="context", training=training, temperature=0.2)

    def train(name: str) -> Path:
        where = tmp_path / name / "adapter.json"
        manifest = train_on_images(config, images, embedder, TEMPLATES, "context", where, 1)
        assert manifest.labels == LABELS[:4], "unseen labels take no part"
        return where

    whole = train("whole")
    curve = Reporter.__call__

    def stopping(self: Reporter, curves: Any) -> None:
        if len(curves.rows) > 5:
            raise KeyboardInterrupt
        curve(self, curves)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Reporter, "__call__", stopping)
        train("stopped")
    assert not (tmp_path / "stopped/adapter.json").exists()
    train("stopped")
    weights = [path.with_suffix(".safetensors").read_bytes() for path in (whole, tmp_path / "stopped/adapter.json")]
    assert weights[0] == weights[1]
    after = [embedder.tower.tokens, embedder.tower.layers[0].up[0]]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))

    losses = (
        pl.read_parquet(whole.with_name("metrics.parquet")).filter(split="train", metric="loss")["value"].to_numpy()
    )
    assert losses[-10:].mean() < 0.95 * losses[:3].mean()
    moved = images.moved(load_adapter(whole, embedder)[1])
    assert moved.whole is images.whole
    assert abs(moved.labels - images.labels).max() > 0.01, "all labels have moved, unseen ones, too"


def test_what_cannot_learn_words_is_refused_by_name() -> None:
    closed: Any = Tiny(None)
    with pytest.raises(NounflowError, match="text tower of bundled:test is not open to learnt context words"):
        LearntContext(closed, TEMPLATES)
    open_: Any = Tiny(tiny_tower())
    with pytest.raises(NounflowError, match="No template has words before the label"):
        LearntContext(open_, ("{} there",))
