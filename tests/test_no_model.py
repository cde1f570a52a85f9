"""The no-model: losses with their golden values, where it begins, and that training moves it the right way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from training_material import NAMES, write_project

from nounflow.config.no_model import NoModelConfig
from nounflow.config.noise import NoiseConfig
from nounflow.config.training import TrainingConfig
from nounflow.open_set.no_model import NoHead, NoTask, opposition, yes_no_loss
from nounflow.open_set.no_training import train_no_model
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


def test_at_the_start_no_is_yes_and_nothing_is_decided() -> None:
    torch.manual_seed(2)
    texts = F.normalize(torch.randn(9, 12), dim=-1)
    module = NoHead(12, 0, 4)
    for mode in (module.train(), module.eval()):
        torch.testing.assert_close(mode(texts), texts)
    images = F.normalize(torch.randn(5, 12), dim=-1)
    p_yes = torch.sigmoid((images @ texts.T - images @ module(texts).T) / 0.01)
    torch.testing.assert_close(p_yes, torch.full_like(p_yes, 0.5), atol=1e-3, rtol=0)


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


def settings() -> NoModelConfig:
    training = TrainingConfig(samples=1280, batch_size=32, learning_rate=3e-3, evaluations=4, checkpoint_steps=5)
    return NoModelConfig(embedder="bundled", lexicon="tiny", mixture="m1", hidden=32, training=training)


def trained(texts: TrainingSet, out: Path) -> dict[str, torch.Tensor]:
    noise = NoiseConfig(scheme="gauss_elem", norm=0.6)
    train_no_model("no", settings().model_copy(update={"noise": noise}), texts, tuple(NAMES), "cpu", out, "code")
    return load_file(out / "weights.safetensors")


def test_a_killed_training_goes_on_to_the_same_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = open_training_set(write_project(tmp_path) / "set/manifest.json")
    whole = trained(texts, tmp_path / "whole")
    curves = pl.read_parquet(tmp_path / "whole/metrics.parquet").filter(
        pl.col("split") == "heldout", pl.col("metric") == "loss"
    )
    assert curves["value"][-1] < 0.8 * curves["value"][0]
    calls, loss = 0, NoTask.loss

    def dying(self: NoTask, embeddings: torch.Tensor, rows: np.ndarray) -> LossParts:
        nonlocal calls
        calls += 1
        if calls == 23:
            raise RuntimeError("killed")
        return loss(self, embeddings, rows)

    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="killed"):
        patch.setattr(NoTask, "loss", dying)
        trained(texts, tmp_path / "killed")
    assert (tmp_path / "killed/checkpoint/checkpoint.json").is_file()
    assert not (tmp_path / "killed/weights.safetensors").exists()
    again = trained(texts, tmp_path / "killed")
    assert all(torch.equal(whole[name], again[name]) for name in whole)
    assert not (tmp_path / "killed/checkpoint").exists()
