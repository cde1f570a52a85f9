"""Noise statistics; figures from the NOVIC paper's appendix D."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from nounflow.config.decoder import NoiseConfig
from nounflow.decoder.noise import apply_noise

SCHEMES = ["gauss_elem", "gauss_vec", "gauss_angle", "uniform_angle", "gauss_elem_uniform_angle"]


def unit_rows(n, dim, seed=0):
    return F.normalize(torch.randn(n, dim, generator=torch.Generator().manual_seed(seed)), dim=-1)


def angles(before, after):
    return torch.rad2deg(torch.arccos((before * after).sum(-1).clamp(-1, 1)))


def noised(embeddings, seed=1, **config):
    return apply_noise(embeddings, NoiseConfig(**config), torch.Generator().manual_seed(seed))


def test_gaussian_noise_of_norm_3_25_forms_a_thin_shell_at_72_9_degrees():
    before = unit_rows(20_000, 768)
    found = angles(before, noised(before, scheme="gauss_elem", norm=3.25))
    assert found.mean().item() == pytest.approx(72.9, abs=0.1)
    assert found.std().item() == pytest.approx(1.93, abs=0.06)


@pytest.mark.parametrize(("norm", "degrees"), [(1.0, 45.0), (1.75, 60.3), (2.5, 68.2)])
def test_the_mean_angle_of_gaussian_noise_is_arctan_of_its_norm(norm, degrees):
    before = unit_rows(8_000, 768)
    assert angles(before, noised(before, scheme="gauss_elem", norm=norm)).mean().item() == pytest.approx(
        degrees, abs=0.15
    )


def test_the_mixed_scheme_takes_fifteen_percent_from_the_uniform_angles():
    before = unit_rows(20_000, 768)
    found = angles(
        before,
        noised(before, scheme="gauss_elem_uniform_angle", norm=3.25, angle_min=10.0, angle_max=30.0, mix_ratio=0.15),
    )
    uniform = found < 45  # the shell of the Gaussian part begins far above
    assert uniform.float().mean().item() == pytest.approx(0.15, abs=0.0075)
    assert 10 <= found[uniform].min() < 11
    assert 29 < found[uniform].max() <= 30.01


def test_uniform_angles_are_uniform_between_their_bounds():
    before = unit_rows(20_000, 256)
    found = angles(before, noised(before, scheme="uniform_angle", angle_min=45.0, angle_max=75.0))
    counts = torch.histc(found, bins=6, min=45.0, max=75.0)
    assert found.min() > 44.9
    assert found.max() < 75.1
    assert (counts / len(found) - 1 / 6).abs().max() < 0.012


def test_gaussian_angles_have_their_deviation_and_never_pass_their_clamp():
    before = unit_rows(20_000, 256)
    found = angles(before, noised(before, scheme="gauss_angle", angle_std=20.0, angle_max=75.0))
    assert found.square().mean().sqrt().item() == pytest.approx(20.0, abs=0.4)
    assert found.max() <= 75.1


def test_vector_noise_has_a_normal_length_along_a_random_direction():
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
def test_every_scheme_returns_unit_rows_and_leaves_its_input_alone(scheme, norm, seed, dim):
    before = unit_rows(16, dim, seed)
    kept = before.clone()
    after = noised(before, seed, scheme=scheme, norm=norm)
    assert torch.equal(before, kept)
    assert after.shape == before.shape
    assert torch.allclose(after.norm(dim=-1), torch.ones(16), atol=1e-5)


def test_the_same_seed_gives_the_same_noise_and_another_seed_does_not():
    before = unit_rows(4, 32)
    assert torch.equal(noised(before, seed=3), noised(before, seed=3))
    assert not torch.equal(noised(before, seed=3), noised(before, seed=4))


def test_no_noise_changes_nothing():
    before = unit_rows(4, 32)
    assert torch.equal(noised(before, scheme="none"), before)


def test_bounds_in_the_wrong_order_are_refused():
    with pytest.raises(ValueError, match="must be below"):
        NoiseConfig(scheme="uniform_angle", angle_min=75, angle_max=45)
