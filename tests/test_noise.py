"""Noise statistics; figures from the NOVIC paper's appendix D."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from nounflow.config.noise import NoiseConfig
from nounflow.training.noise import apply_noise, noise_scale
from nounflow.training.noise_shape import NO_SHAPE, NoiseShape, covariance_shape

SCHEMES = ["gauss_elem", "gauss_vec", "gauss_angle", "uniform_angle", "gauss_elem_uniform_angle"]


def unit_rows(n: int, dim: int, seed: int = 0) -> torch.Tensor:
    return F.normalize(torch.randn(n, dim, generator=torch.Generator().manual_seed(seed)), dim=-1)


def angles(before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
    return torch.rad2deg(torch.arccos((before * after).sum(-1).clamp(-1, 1)))


def noised(
    embeddings: torch.Tensor, seed: int = 1, shape: NoiseShape = NO_SHAPE, scale: float = 1.0, **config: Any
) -> torch.Tensor:
    return apply_noise(embeddings, NoiseConfig(**config), torch.Generator().manual_seed(seed), shape, scale)


def test_gaussian_noise_of_norm_3_25_forms_a_thin_shell_at_72_9_degrees() -> None:
    before = unit_rows(20_000, 768)
    found = angles(before, noised(before, scheme="gauss_elem", norm=3.25))
    assert found.mean().item() == pytest.approx(72.9, abs=0.1)
    assert found.std().item() == pytest.approx(1.93, abs=0.06)


@pytest.mark.parametrize(("norm", "degrees"), [(1.0, 45.0), (1.75, 60.3), (2.5, 68.2)])
def test_the_mean_angle_of_gaussian_noise_is_arctan_of_its_norm(norm: float, degrees: float) -> None:
    before = unit_rows(8_000, 768)
    assert angles(before, noised(before, scheme="gauss_elem", norm=norm)).mean().item() == pytest.approx(
        degrees, abs=0.15
    )


def test_the_mixed_scheme_takes_fifteen_percent_from_the_uniform_angles() -> None:
    before = unit_rows(20_000, 768)
    found = angles(
        before,
        noised(before, scheme="gauss_elem_uniform_angle", norm=3.25, angle_min=10.0, angle_max=30.0, mix_ratio=0.15),
    )
    uniform = found < 45  # the shell of the Gaussian part begins far above
    assert uniform.float().mean().item() == pytest.approx(0.15, abs=0.0075)
    assert 10 <= found[uniform].min() < 11
    assert 29 < found[uniform].max() <= 30.01


def test_uniform_angles_are_uniform_between_their_bounds() -> None:
    before = unit_rows(20_000, 256)
    found = angles(before, noised(before, scheme="uniform_angle", angle_min=45.0, angle_max=75.0))
    counts = torch.histc(found, bins=6, min=45.0, max=75.0)
    assert found.min() > 44.9
    assert found.max() < 75.1
    assert (counts / len(found) - 1 / 6).abs().max() < 0.012


def test_gaussian_angles_have_their_deviation_and_never_pass_their_clamp() -> None:
    before = unit_rows(20_000, 256)
    found = angles(before, noised(before, scheme="gauss_angle", angle_std=20.0, angle_max=75.0))
    assert found.square().mean().sqrt().item() == pytest.approx(20.0, abs=0.4)
    assert found.max() <= 75.1


def test_vector_noise_has_a_normal_length_along_a_random_direction() -> None:
    before = unit_rows(20_000, 256)
    after = noised(before, scheme="gauss_vec", norm=0.5)
    tangent = torch.tan(torch.deg2rad(angles(before, after)))  # about norm * |r|, r ~ N(0, 1)
    assert tangent.mean().item() == pytest.approx(0.5 * (2 / torch.pi) ** 0.5, abs=0.01)


@given(
    scheme=st.sampled_from(SCHEMES),
    norm=st.floats(0.01, 5),
    seed=st.integers(0, 2**31),
    dim=st.integers(4, 64),
)
@settings(max_examples=60, deadline=None)
def test_every_scheme_returns_unit_rows_and_leaves_its_input_alone(
    scheme: str, norm: float, seed: int, dim: int
) -> None:
    before = unit_rows(16, dim, seed)
    kept = before.clone()
    after = noised(before, seed, scheme=scheme, norm=norm)
    assert torch.equal(before, kept)
    assert after.shape == before.shape
    assert torch.allclose(after.norm(dim=-1), torch.ones(16), atol=1e-5)


def test_the_same_seed_gives_the_same_noise_and_another_seed_does_not() -> None:
    before = unit_rows(4, 32)
    assert torch.equal(noised(before, seed=3), noised(before, seed=3))
    assert not torch.equal(noised(before, seed=3), noised(before, seed=4))


def test_no_noise_changes_nothing() -> None:
    before = unit_rows(4, 32)
    assert torch.equal(noised(before, scheme="none"), before)


def test_bounds_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(ValueError, match="must be below"):
        NoiseConfig(scheme="uniform_angle", angle_min=75, angle_max=45)


# --- measured noise ---


def test_gap_noise_has_the_measured_distribution_of_angles() -> None:
    before = unit_rows(40_000, 128)
    measured = torch.tensor([5.0, 10.0, 12.0, 30.0, 70.0])  # least, quarters, greatest
    found = angles(before, noised(before, shape=NoiseShape(angles=measured), scheme="gap", images="photos"))
    quantiles = torch.quantile(found, torch.tensor([0.125, 0.25, 0.5, 0.625, 0.75, 0.875]))
    assert torch.allclose(quantiles, torch.tensor([7.5, 10.0, 12.0, 21.0, 30.0, 50.0]), atol=0.7)
    assert 4.9 < found.min() < 5.2
    assert 69.5 < found.max() < 70.1


def test_gap_noise_goes_in_every_direction_alike() -> None:
    before = unit_rows(1, 16).repeat(40_000, 1)
    after = noised(before, shape=NoiseShape(angles=torch.tensor([60.0, 60.0])), scheme="gap", images="photos")
    assert torch.allclose(after.mean(0), before[0] / 2, atol=0.01)
    sideways = after - before / 2  # sin 60 degrees long, in 15 dimensions
    expected = 0.75 / 15 * (torch.eye(16) - torch.outer(before[0], before[0]))
    assert torch.allclose(sideways.T @ sideways / len(sideways), expected, atol=0.002)


@pytest.mark.parametrize("rank", [0, 1, 2, 8])
def test_covariance_noise_has_the_norm_and_the_covariance_of_what_was_measured(rank: int) -> None:
    dim, norm = 6, 0.8
    axes = torch.tensor([[0, 3.0, 3.0, 0, 0, 0], [0, 0, 0, 2.0, -2.0, 0]])
    variances = axes.square().sum(0) + torch.tensor([0, 0.5, 0.5, 0.5, 0.5, 1.0])
    config: dict[str, Any] = {"scheme": "covariance", "images": "photos", "norm": norm, "rank": rank}
    shape = covariance_shape(axes, variances, NoiseConfig(**config))
    before = torch.eye(dim)[:1].repeat(200_000, 1)  # nothing varies along it, so the perturbation can be read off
    after = noised(before, shape=shape, **config)
    perturbation = (after / after[:, :1])[:, 1:]
    kept = axes[:rank]
    expected = kept.T @ kept + torch.diag(variances - kept.square().sum(0))
    expected = (norm**2 * expected / variances.sum())[1:, 1:]
    found = torch.cov(perturbation.T)
    assert found.trace().item() == pytest.approx(norm**2, rel=0.01)
    assert torch.allclose(found, expected, atol=0.004)


@given(st.sampled_from(SCHEMES), st.floats(0.1, 2), st.floats(0.05, 1), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_the_scale_multiplies_norms_and_angles(scheme: str, norm: float, scale: float, seed: int) -> None:
    before = unit_rows(8, 16, seed)
    first = noised(before, seed, scale=scale, scheme=scheme, norm=norm, angle_min=20, angle_max=60, angle_std=15)
    scaled: dict[str, Any] = {
        "norm": norm * scale,
        "angle_min": 20 * scale,
        "angle_max": 60 * scale,
        "angle_std": 15 * scale,
    }
    assert torch.allclose(first, noised(before, seed, scheme=scheme, **scaled), atol=1e-5)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", [1, 1, 1, 1, 1]),
        ("linear", [0.5, 0.75, 1, 1.25, 1.5]),
        ("cosine", [0.5, 0.5 + 0.5 - 0.5**1.5, 1, 0.5 + 0.5 + 0.5**1.5, 1.5]),
        ("warmup", [0.5, 1, 1.5, 1.5, 1.5]),
    ],
)
def test_a_schedule_goes_from_its_start_to_its_end(schedule: str, expected: list[float]) -> None:
    config = NoiseConfig(schedule=schedule, schedule_start=0.5, schedule_end=1.5, schedule_rise=0.5)
    assert [noise_scale(config, share / 4) for share in range(5)] == pytest.approx(expected)


@pytest.mark.parametrize(
    "needing", [{"scheme": "gap"}, {"scheme": "covariance"}, {"shift": "texts"}, {"shift": "images"}]
)
def test_noise_that_is_matched_to_images_says_that_it_needs_some(needing: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="need `images`"):
        NoiseConfig(**needing)
    assert NoiseConfig(images="photos", **needing).needs_images


def test_covariance_of_texts_needs_no_images() -> None:
    assert not NoiseConfig(scheme="covariance", covariance="texts").needs_images
