"""The modality gap: angles, the mean shift, what noise does, captions, and the picture of them."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
from embedder_check_material import unit_rows
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from nounflow.config.noise import NoiseConfig
from nounflow.embedder_checks import angles
from nounflow.embedder_checks.angles import all_angles, angles_within, parallel_angles
from nounflow.embedder_checks.gap import modality_gap, noise_angles, text_gap
from nounflow.embedder_checks.gap_picture import draw_gap, rows_of
from nounflow.embedder_checks.labels import captions_beside
from nounflow.embedders.protocol import Embedder
from nounflow.schemas.embedder_checks import ModalityGap


def degrees(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    found: np.ndarray = np.rad2deg(np.arccos(np.clip(first.astype(float) @ second.astype(float).T, -1, 1)))
    return found


def test_angles_are_those_of_brute_force(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(angles, "_BLOCK", 50)  # several blocks
    first, second = unit_rows(40, 6), unit_rows(30, 6, seed=1)
    rng = np.random.default_rng(0)
    within = degrees(first, first)[np.triu_indices(40, k=1)]
    for found, expected in (
        (all_angles(first, second, rng), degrees(first, second).ravel()),
        (angles_within(first, rng), within),
        (parallel_angles(first[:30], second), np.diag(degrees(first[:30], second))),
    ):
        assert found is not None
        assert found.pairs == len(expected) == sum(found.histogram)
        assert found.mean == pytest.approx(expected.mean(), abs=1e-3)
        assert found.std == pytest.approx(expected.std(), abs=1e-3)
        assert np.array_equal(found.histogram, np.histogram(expected, bins=np.arange(361) / 2)[0])
        for quantile, level in ((found.low, 0.05), (found.median, 0.5), (found.high, 0.95)):
            assert (expected <= quantile + 0.01).mean() >= level - 1e-9
            assert (expected < quantile - 0.01).mean() <= level + 1e-9


def test_very_many_pairs_are_sampled_and_few_have_no_angle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(angles, "PAIRS", 200)
    rows = unit_rows(400, 5)
    assert all_angles(rows, rows[:20], np.random.default_rng(0)).pairs == 200
    within = angles_within(rows, np.random.default_rng(0))
    assert within is not None
    assert within.pairs <= 200
    assert angles_within(rows[:1], np.random.default_rng(0)) is None


@given(st.integers(0, 10_000), st.integers(1, 30), st.integers(1, 6))
@settings(max_examples=40, deadline=None)
def test_the_mean_shift_splits_the_squared_distance_of_matched_pairs(seed: int, images: int, texts: int) -> None:
    x, t = unit_rows(images, 8, seed), unit_rows(texts, 8, seed + 1)
    own = np.random.default_rng(seed).integers(0, texts, images)
    gap = text_gap(x, t, own)
    difference = x.astype(float) - t[own]
    shift = difference.mean(0)
    rest = ((difference - shift) ** 2).sum(1).mean()
    assert np.allclose(gap.mean_shift, shift, atol=1e-6)
    assert gap.mean_shift_norm == pytest.approx(np.linalg.norm(shift), abs=1e-6)
    assert gap.explained == pytest.approx((shift**2).sum() / ((shift**2).sum() + rest), abs=1e-5)


def test_where_all_images_are_shifted_alike_the_shift_explains_all() -> None:
    t = unit_rows(50, 64)
    shift = np.zeros(64)
    shift[0] = 0.8
    raw = np.concatenate([t, -t])  # so that lengths do not matter on average
    images = raw + shift
    images /= np.linalg.norm(images, axis=1, keepdims=True)
    gap = text_gap(images.astype(np.float32), raw.astype(np.float32), np.arange(100))
    assert gap.matched.mean > 35
    assert gap.matched_after_shift.mean < 12
    assert gap.explained > 0.8


def test_noise_angles_are_those_of_the_scheme() -> None:
    found = noise_angles(unit_rows(30, 768), NoiseConfig(scheme="gauss_elem", norm=3.25))
    assert found.mean == pytest.approx(72.9, abs=0.1)  # arctan of the norm
    assert found.std == pytest.approx(1.93, abs=0.1)


def test_noise_that_is_scheduled_counts_as_it_ends() -> None:
    half, full = (
        NoiseConfig(norm=norm, schedule=how, schedule_end=0.5) for norm, how in ((2.0, "linear"), (1.0, "constant"))
    )
    assert noise_angles(unit_rows(30, 64), half).mean == noise_angles(unit_rows(30, 64), full).mean


def test_a_gap_of_nouns_alone_has_neither_captions_nor_noise(bundled: Embedder) -> None:
    images = unit_rows(4, bundled.dim)
    gap = modality_gap(bundled, "s", images, ["cat", "dog", "cat", "owl"], {}, "imagenet7", None)
    assert gap.captions is None
    assert gap.noise is None
    assert (gap.nouns.texts, gap.nouns.images, gap.nouns.all_pairs.pairs) == (3, 4, 12)


def test_a_gap_is_measured_to_captions_and_noise_where_they_are_given(bundled: Embedder) -> None:
    images = unit_rows(4, bundled.dim)
    full = modality_gap(bundled, "s", images, ["cat"] * 4, {0: "A cat.", 3: "A dog."}, "imagenet7", NoiseConfig())
    assert full.captions is not None
    assert full.captions.matched is not None
    assert (full.captions.images, full.captions.texts, full.captions.matched.pairs) == (2, 2, 2)
    own = bundled.encode_texts(["A cat.", "A dog."], progress=False)
    expected = np.diag(degrees(images[[0, 3]], own))
    assert full.captions.matched.mean == pytest.approx(expected.mean(), abs=1e-3)
    assert full.nouns.text_text is None
    assert full.noise_scheme == "gauss_elem, norm 0.6"


def test_captions_are_the_first_lines_of_text_files_beside_images(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("A frog. \nde.utf8=Ein Frosch.\n")
    (tmp_path / "b.txt").write_bytes(b"caf\xe9\n")
    (tmp_path / "empty.txt").write_text("\n")
    found = captions_beside(tmp_path, ["a.png", "b.jpg", "empty.png", "none.png"])
    assert found["a.png"] == "A frog."
    assert set(found) == {"a.png", "b.jpg"}


@pytest.fixture(scope="module")
def gap_with_all(bundled: Embedder) -> ModalityGap:
    nouns, captions = ["cat", "dog"] * 3, {1: "A dog."}
    return modality_gap(bundled, "photos", unit_rows(6, bundled.dim), nouns, captions, "imagenet7", NoiseConfig())


def test_the_same_gap_gives_the_same_picture_to_the_byte(gap_with_all: ModalityGap, tmp_path: Path) -> None:
    draw_gap(tmp_path / "a.svg", gap_with_all)
    draw_gap(tmp_path / "b.svg", gap_with_all)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_the_picture_is_one_file_that_needs_no_other(gap_with_all: ModalityGap, tmp_path: Path) -> None:
    draw_gap(tmp_path / "a.svg", gap_with_all)
    text = (tmp_path / "a.svg").read_text()
    ElementTree.fromstring(text)
    assert not re.findall(r'(?:href|src)="(?!#)', text)
    assert "<text" not in text  # letters are drawn, so that no font is needed


def test_the_picture_may_be_of_pixels(gap_with_all: ModalityGap, tmp_path: Path) -> None:
    draw_gap(tmp_path / "a.png", gap_with_all)
    assert Image.open(tmp_path / "a.png").size[0] > 900


def test_the_picture_has_a_row_for_each_kind_of_angle(gap_with_all: ModalityGap) -> None:
    assert [label for label, _, _ in rows_of(gap_with_all)] == [
        "image and its own noun", "image and any noun", "two nouns", "image and its own caption",
        "image and any caption", "two images", "a noun and itself with training\nnoise (gauss_elem, norm 0.6)",
    ]  # fmt: skip
