"""The no-model: losses with their golden values, where it begins, and that training moves it the right way."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from nounflow.open_set.no_model import NoHead, opposition, yes_no_loss


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
