"""The no-model: losses with their golden values, where it begins, and that training moves it the right way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
import torch.nn.functional as F
from tower_material import load, spec_of
from training_material import NAMES, tiny_training_set, write_project

from nounflow.config.embedder import EmbedderConfig
from nounflow.config.no_model import NoModelConfig
from nounflow.config.noise import NoiseConfig
from nounflow.embedders.load import load_embedder
from nounflow.embedders.prompts import class_embeddings
from nounflow.embedders.two_towers import TwoTowers
from nounflow.errors import NounflowError
from nounflow.open_set.bank import NounBank, unit
from nounflow.open_set.no_model import NoHead, NoTask, NoTower, opposition, yes_no_loss
from nounflow.open_set.no_store import StoredNoModel, no_embeddings, read_no_model, text_encoder
from nounflow.open_set.no_training import train_no_model
from nounflow.open_set.pair_store import Pairs
from nounflow.schemas.embeddings import EmbedderIdentity, TrainingSetManifest
from nounflow.schemas.open_set import BankManifest
from nounflow.store.training_set import TrainingSet, open_training_set
from nounflow.training.loss import LossParts


def test_losses_have_the_golden_values() -> None:
    f_g = torch.tensor([[0.30, 0.20], [0.22, 0.31]])
    f_n = torch.tensor([[0.27, 0.24], [0.25, 0.26]])
    # images as unit vectors of a basis, so that cosines are the rows themselves
    loss, right = yes_no_loss(torch.eye(2), f_g.T, f_n.T, torch.eye(2, dtype=torch.bool), 0.01)
    yes = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    no = torch.tensor([[0.8, 0.6], [0.5, 0.75**0.5]])
    assert float(opposition(yes, no)) == pytest.approx(1.183708, abs=1e-5)
    assert float(loss) - 0.5 * float(opposition(f_g.T, f_n.T)) == pytest.approx(0.5 * (0.027651 + 0.033369), abs=1e-5)
    assert float(right) == 1.0


def decided(images: torch.Tensor, yes: torch.Tensor, no: torch.Tensor) -> None:
    """Nothing is, if p_yes is a half everywhere."""
    p_yes = torch.sigmoid((images @ yes.T - images @ no.T) / 0.01)
    assert float((p_yes - 0.5).abs().max().detach()) < 1e-3


def test_at_the_start_the_no_of_a_head_is_its_yes_and_nothing_is_decided() -> None:
    torch.manual_seed(2)
    texts = F.normalize(torch.randn(9, 12), dim=-1)
    images = F.normalize(torch.randn(5, 12), dim=-1)
    module = NoHead(12, 0, 4)
    for mode in (module.train(), module.eval()):
        decided(images, texts, mode(texts))


@pytest.mark.parametrize("kind", ["bundled", "CLIP", "SigLIP", "transformers CLIP"])
def test_at_the_start_the_no_of_a_tower_is_its_yes_and_nothing_is_decided(
    kind: str, folders: Callable[[str], Path], bundled: TwoTowers
) -> None:
    embedder = bundled if kind == "bundled" else load(spec_of(kind, folders))
    captions = ["owl", "a photo of a fire engine in the snow", "two dogs"]
    yes = torch.from_numpy(embedder.encode_texts(captions, progress=False))
    images = F.normalize(torch.randn(5, embedder.dim), dim=-1)
    encoder = text_encoder(embedder)
    module = NoTower(encoder, 4)
    for mode in (module.train(), module.eval()):
        decided(images, yes, mode(*encoder.batch(captions)).detach())
    module.train()(*encoder.batch(captions)).sum().backward()
    assert all(part.grad is not None for part in module.parameters())  # all of it learns
    with torch.no_grad():
        module.prompts.normal_()
    prompts = ["a photo of a {}.", "{}"]
    no = no_embeddings(module, ["owl", "dog"], np.zeros((2, 1)), prompts, embedder)
    assert no.shape == (2, embedder.dim)
    assert np.abs(no - class_embeddings(embedder, ["owl", "dog"], tuple(prompts))).max() > 1e-3
    again = embedder.encode_texts(captions, progress=False)
    assert np.array_equal(yes.numpy(), again)  # the yes side is untouched


def test_a_tower_that_is_not_written_out_is_refused(folders: Callable[[str], Path]) -> None:
    rehearsal = load_embedder(EmbedderConfig(spec="rehearsal:siglip-b16"), "cpu", images=False)
    for embedder in (load(spec_of("CoCa", folders)), rehearsal):
        with pytest.raises(NounflowError, match="cannot be copied") as refused:
            text_encoder(embedder)
        assert "mode: head" in str(refused.value)


def test_a_text_of_the_same_noun_is_no_no() -> None:
    torch.manual_seed(3)
    images, yes, no = (F.normalize(torch.randn(4, 8), dim=-1) for _ in range(3))
    apart = torch.eye(4, dtype=torch.bool)
    alike = apart.clone()
    alike[0, 1] = alike[1, 0] = True
    with_pair, _ = yes_no_loss(images, yes, no, apart, 0.1)
    without, _ = yes_no_loss(images, yes, no, alike, 0.1)
    logits = images @ (yes - no).T / 0.1
    kept = F.softplus(logits)[~alike].mean() - F.softplus(logits)[~apart].mean()
    assert float(without - with_pair) == pytest.approx(0.5 * float(kept), abs=1e-6)


def test_training_tells_known_nouns_from_others() -> None:
    rng = np.random.default_rng(0)
    nouns = torch.from_numpy(rng.normal(size=(60, 24)).astype(np.float32))
    nouns = F.normalize(nouns, dim=-1)
    torch.manual_seed(4)
    module = NoHead(24, 48, 4)
    optimizer = torch.optim.AdamW(module.parameters(), lr=3e-3)

    def images(of: torch.Tensor) -> torch.Tensor:
        return F.normalize(of + 0.12 * torch.randn(of.shape), dim=-1)

    same = torch.eye(40, dtype=torch.bool)
    for _ in range(150):
        loss, _ = yes_no_loss(images(nouns[:40]), nouns[:40], module.train()(nouns[:40]), same, 0.1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    no = module.eval()(nouns[:40])
    margins = {
        part: images(nouns[rows]) @ (nouns[:40] - no).T for part, rows in (("own", slice(40)), ("other", slice(40, 60)))
    }
    own, other = margins["own"].diagonal(), margins["other"].amax(1)
    assert float((own[:, None] > other).float().mean()) > 0.9


def settings(mode: str = "text_only", **training: Any) -> NoModelConfig:
    wanted = {"lexicon": "tiny", "mixture": "m1"} if mode == "text_only" else {"pairs": "mine"}
    training = {
        "samples": 1280,
        "batch_size": 32,
        "learning_rate": 3e-3,
        "evaluations": 4,
        "checkpoint_steps": 5,
    } | training
    found = NoModelConfig.model_validate(
        {"embedder": "bundled", "mode": mode, "hidden": 32, "prompts": 4, "training": training, **wanted}
    )
    noise = NoiseConfig(scheme="gauss_elem", norm=0.6) if mode == "text_only" else NoiseConfig(scheme="none")
    return found.model_copy(update={"noise": noise})


@dataclass(frozen=True)
class Material:
    """What a mode is trained on, and the bank of its embedder."""

    settings: NoModelConfig
    of: TrainingSet | Pairs
    embedder: Any
    bank: NounBank

    def train(self, out: Path) -> StoredNoModel:
        path = out.with_suffix(".safetensors")
        train_no_model("no", self.settings, self.of, NAMES, self.embedder, self.bank, "cpu", path, "code")
        return read_no_model(path)


def material(mode: str, tmp_path: Path, embedder: TwoTowers) -> Material:
    if mode == "text_only":
        of_texts = open_training_set(write_project(tmp_path) / "set/manifest.json")
        manifest = bank_manifest(of_texts.manifest.embedder)
        vectors = unit(np.random.default_rng(1).normal(size=(2, of_texts.manifest.embedder.dim)))
        return Material(settings(mode), of_texts, None, NounBank(manifest, vectors, vectors))
    captions = [f"a photo of {NAMES[i % len(NAMES)]} number {i}" for i in range(96)]
    texts = embedder.encode_texts(captions, progress=False)
    noisy = unit(texts + 0.05 * np.random.default_rng(0).normal(size=texts.shape))
    samples = replace(tiny_training_set(48, samples_per_noun=2, dim=embedder.dim), targets=np.arange(96))
    index = TrainingSetManifest(
        embedder=embedder.identity, lexicon="", lexicon_path="", mixture={}, shards=(), samples=96, heldout=6,
        index_sha256="i",
    )  # fmt: skip
    heldout = np.arange(96) % 16 == 0
    samples = replace(
        samples, manifest=index, vectors=noisy.astype(np.float16), heldout=heldout, weights=(~heldout) / 90
    )
    pairs = Pairs(samples, texts.astype(np.float16), tuple(captions))
    vectors = class_embeddings(embedder, ["owl", "cat"], ("a photo of a {}.",), progress=False)
    few = {"samples": 320, "checkpoint_steps": 4, "learning_rate": 3e-4} if mode == "tower" else {}
    return Material(
        settings(mode, **few), pairs, embedder, NounBank(bank_manifest(embedder.identity), vectors, vectors)
    )


def bank_manifest(identity: EmbedderIdentity) -> BankManifest:
    return BankManifest(
        embedder=identity, lexicon="l", nouns=("owl", "cat"), candidates=2, above=((), ()), names=(False, False),
        kinds=("animal", "animal"), prompts=("a photo of a {}.",), patterns=(), weights_sha256="b",
    )  # fmt: skip


@pytest.mark.parametrize("mode", ["text_only", "head", "tower"])
def test_a_killed_training_goes_on_to_the_same_weights(
    mode: str, tmp_path: Path, open_clip_model: tuple[Any, TwoTowers, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = material(mode, tmp_path, open_clip_model[1])
    whole = given.train(tmp_path / "whole")
    curves = pl.read_parquet(tmp_path / "whole/metrics.parquet").filter(
        pl.col("split") == "heldout", pl.col("metric") == "loss"
    )
    assert curves["value"][-1] < curves["value"][0]
    calls, loss = 0, NoTask.loss

    def dying(self: NoTask, embeddings: torch.Tensor, rows: np.ndarray) -> LossParts:
        nonlocal calls
        calls += 1
        if calls == 10:
            raise RuntimeError("killed")
        return loss(self, embeddings, rows)

    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="killed"):
        patch.setattr(NoTask, "loss", dying)
        given.train(tmp_path / "killed")
    assert (tmp_path / "killed/checkpoint/checkpoint.json").is_file()
    assert not (tmp_path / "killed.safetensors").exists()
    again = given.train(tmp_path / "killed")
    assert whole.path.read_bytes() == again.path.read_bytes()
    assert not (tmp_path / "killed/checkpoint").exists()
    assert (again.bank, again.no.shape) == ("b", given.bank.vectors.shape)
    assert np.abs(again.no - given.bank.vectors).max() > 0.01  # it has moved
    module = again.module(given.embedder)
    no = no_embeddings(module, ["owl", "cat"], given.bank.vectors, ["a photo of a {}."], given.embedder)
    assert np.abs(no - again.no).max() < 1e-3


def test_fewer_pairs_than_a_batch_are_refused(tmp_path: Path, open_clip_model: tuple[Any, TwoTowers, Path]) -> None:
    few = replace(material("head", tmp_path, open_clip_model[1]), settings=settings("head", batch_size=91))
    with pytest.raises(NounflowError, match="There are 90 pairs to train on, fewer than a batch of 91"):
        few.train(tmp_path / "few")


def test_a_mode_says_what_it_needs() -> None:
    for wrong, message in (
        ({"mode": "head"}, "mode head needs `pairs`"),
        ({"mode": "tower", "pairs": "mine", "lexicon": "small"}, "mode tower takes no `lexicon`"),
        ({"lexicon": "small"}, "mode text_only needs `mixture`"),
    ):
        with pytest.raises(ValueError, match=message):
            NoModelConfig.model_validate({"embedder": "bundled", **wrong})
