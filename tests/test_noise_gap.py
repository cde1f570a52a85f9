"""Noise that is matched to images: the gap measured without labels, and what training and naming make of it."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from test_checkpoint import stopping_at, store
from training_material import DIM, NO_MANIFEST, SMALL, Tiny, run_training, same_weights, write_project

from nounflow.config.experiment import load_config
from nounflow.config.head import HeadConfig
from nounflow.config.noise import NoiseConfig
from nounflow.decoder.model import ObjectDecoder
from nounflow.embedder_checks.gap import noise_angles
from nounflow.errors import MismatchError, NounflowError
from nounflow.predictors.decoder_training import DecoderTask
from nounflow.predictors.head import HeadPredictor
from nounflow.predictors.loading import load_predictor
from nounflow.schemas.embeddings import EmbedderIdentity, ImageTextGap
from nounflow.store.shard_writing import write_shard
from nounflow.store.shards import read_manifest, read_shard
from nounflow.store.training_set import TrainingSet, open_training_set
from nounflow.store.weights import IMAGE_SHIFT, read_predictor
from nounflow.training.batches import noisy
from nounflow.training.checkpoint import Checkpoints
from nounflow.training.curves import Curves
from nounflow.training.gap import measure_gap, nearest_rows
from nounflow.training.loop import TrainingRun
from nounflow.training.noise_shape import NoiseShape, load_noise_shape, principal_axes, shape_of
from nounflow.training.processes import Processes
from nounflow.training.validation import evaluate

IDENTITY = EmbedderIdentity(
    spec="bundled:minilm-conse", dim=DIM, digest="d", weights="w", tokenizer="t", preprocessing="p", precision="p"
)


def texts_of(vectors: np.ndarray, heldout: Iterable[int] = ()) -> TrainingSet:
    """A training set of one text a noun, some held out."""
    n = len(vectors)
    weights = np.ones(n)
    weights[list(heldout)] = 0
    return TrainingSet(
        manifest=NO_MANIFEST,
        vectors=vectors.astype(np.float16),
        targets=np.arange(n),
        target_weights=np.ones(n, dtype=np.float32),
        offsets=np.arange(n + 1),
        weights=weights / weights.sum(),
        heldout=weights == 0,
        sources=np.zeros(n, dtype=np.uint16),
    )


def unit(vectors: np.ndarray) -> np.ndarray:
    rows: np.ndarray = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return rows


def measured(training_set: TrainingSet, images: np.ndarray) -> ImageTextGap:
    return measure_gap(training_set, images, "s", IDENTITY, "x")


# --- the measurement ---


def test_known_angles_between_images_and_their_texts_are_found_without_labels() -> None:
    generator = np.random.default_rng(0)
    texts = unit(generator.standard_normal((200, 256)))
    own = generator.permutation(200)[:150]  # texts without an image, and images in another order
    tangents = generator.standard_normal((150, 256))
    tangents = unit(tangents - (tangents * texts[own]).sum(1, keepdims=True) * texts[own])
    degrees = np.linspace(10, 55, 150)
    radians = np.deg2rad(degrees)[:, None]
    gap = measured(texts_of(texts), np.cos(radians) * texts[own] + np.sin(radians) * tangents)
    assert (gap.images, gap.texts) == (150, 200)
    assert gap.angles == pytest.approx(np.quantile(degrees, np.linspace(0, 1, 101)), abs=0.05)
    assert gap.angle_mean == pytest.approx(32.5, abs=0.02)
    assert gap.angle_std == pytest.approx(degrees.std(), abs=0.02)


def test_the_shift_and_the_residuals_are_those_of_images_and_their_own_texts() -> None:
    generator = np.random.default_rng(1)
    texts = unit(generator.standard_normal((120, 64)))
    moved = 0.6 * unit(generator.standard_normal(64)) + 0.05 * generator.standard_normal((120, 64))
    images = unit(texts + moved)
    gap = measured(texts_of(texts), images)
    residuals = images - texts
    assert np.allclose(gap.shift, residuals.mean(0), atol=1e-4)
    assert np.allclose(gap.variances, residuals.var(0), atol=1e-4)
    axes = np.array(gap.axes)
    assert axes.shape == (64, 64)
    assert np.allclose(axes.T @ axes, np.cov(residuals.T, bias=True), atol=1e-4)
    assert gap.residual_norm == pytest.approx(np.sqrt(residuals.var(0).sum()), abs=1e-4)


def test_texts_that_are_held_out_are_no_neighbours() -> None:
    texts = unit(np.random.default_rng(2).standard_normal((30, 32)))
    rows = np.flatnonzero(texts_of(texts, heldout=[4]).weights > 0)
    images = torch.from_numpy(texts[[3, 4]]).float()
    found = nearest_rows(texts_of(texts), rows, images)
    others = texts[4] @ texts.T
    others[4] = -1
    assert found.tolist() == [3, int(others.argmax())]


def test_the_covariance_of_texts_is_read_from_the_training_set() -> None:
    generator = np.random.default_rng(3)
    texts = unit(generator.standard_normal((50, 12)) * np.linspace(0.1, 2, 12))
    config = NoiseConfig(scheme="covariance", covariance="texts", rank=3)
    shape = load_noise_shape(config, None, texts_of(texts))
    assert shape.axes is not None
    assert shape.deviations is not None
    covariance = shape.axes.T @ shape.axes + torch.diag(shape.deviations.square())
    assert covariance.trace().item() == pytest.approx(1.0, abs=1e-4)
    expected = texts.var(0) / texts.var(0).sum()
    assert np.allclose(covariance.diag(), expected, atol=0.01)  # drawn with replacement
    leading = np.linalg.eigvalsh(np.cov(texts.T, bias=True))[::-1][:3].sum() / texts.var(0).sum()
    assert shape.axes.square().sum().item() == pytest.approx(leading, abs=0.02)


def test_a_shift_leaves_the_covariance_of_texts_that_of_texts(project: Path) -> None:
    texts = open_training_set(project / "set/manifest.json")
    plain = NoiseConfig(scheme="covariance", covariance="texts")
    shifted = NoiseConfig(scheme="covariance", covariance="texts", shift="texts", images="photos")
    shape = load_noise_shape(shifted, project / "gap.json", texts)
    measured_axes = load_noise_shape(plain, None, texts).axes
    assert shape.axes is not None
    assert measured_axes is not None
    assert torch.equal(shape.axes, measured_axes)
    assert shape.text_shift is not None


# --- training ---


def shaped(**noise: Any) -> tuple[NoiseConfig, NoiseShape]:
    """(noise, its shape) from a made-up gap in the tests' dimension."""
    generator = np.random.default_rng(4)
    texts = unit(generator.standard_normal((100, DIM)))
    images = unit(texts + 0.5 * unit(generator.standard_normal(DIM)) + 0.1 * generator.standard_normal((100, DIM)))
    config = NoiseConfig(images="s", norm=0.3, **noise)
    return config, shape_of(config, measured(texts_of(texts), images), "digest")


MEASURED = [{"scheme": "gap"}, {"scheme": "covariance", "rank": 5}, {"scheme": "gauss_elem", "shift": "texts"}]


def trained(
    noise: NoiseConfig,
    shape: NoiseShape,
    checkpoints: Checkpoints | None = None,
    listen: Callable[[Curves], None] = lambda _curves: None,
    seed: int = 1,
) -> tuple[ObjectDecoder, Curves]:
    tiny = Tiny.of(config=SMALL, samples=960, evaluations=10, seed=seed)
    settings = tiny.settings.model_copy(update={"noise": noise})
    model = tiny.model()
    task = DecoderTask(model, tiny.vocabulary, tiny.training_set)
    samples = dataclasses.replace(tiny.samples, shape=shape)
    return model, TrainingRun(task, samples, settings, Processes("cpu"), None, checkpoints).train(listen)


@pytest.mark.parametrize("noise", MEASURED, ids=lambda noise: "_".join(map(str, noise.values())))
@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_a_stopped_run_goes_on_to_the_same_bytes_with_measured_noise(
    tmp_path: Path, noise: dict[str, Any], schedule: str
) -> None:
    config, shape = shaped(**noise, schedule=schedule)
    expected, curves = trained(config, shape)
    with pytest.raises(NounflowError, match="stopped by SIGTERM"):
        trained(config, shape, store(tmp_path), stopping_at(9))
    found, again = trained(config, shape, store(tmp_path))
    assert same_weights(found, expected)
    assert again.rows == curves.rows
    assert not same_weights(trained(config, shape, seed=2)[0], expected)


def test_every_step_has_the_scale_of_its_schedule() -> None:
    constant, shape = shaped(scheme="gap")
    rising = constant.model_copy(update={"schedule": "linear", "schedule_start": 1.0, "schedule_end": 1.0})
    falling = constant.model_copy(update={"schedule": "linear", "schedule_start": 1.0, "schedule_end": 0.0})
    expected = trained(constant, shape)[0]
    assert same_weights(trained(rising, shape)[0], expected)
    assert not same_weights(trained(falling, shape)[0], expected)


@pytest.mark.parametrize("noise", MEASURED, ids=lambda noise: "_".join(map(str, noise.values())))
def test_the_measured_noise_of_a_place_does_not_depend_on_the_other_places(noise: dict[str, Any]) -> None:
    config, shape = shaped(**noise)
    vectors = F.normalize(torch.randn(1500, DIM, generator=torch.Generator().manual_seed(0)), dim=-1).half()
    everything = noisy(vectors, range(1500), config, 1, 3, shape, 0.7)
    for part in (range(700), range(700, 1500), range(1100, 1101)):
        assert torch.equal(noisy(vectors, part, config, 1, 3, shape, 0.7), everything[part.start : part.stop])


def test_shifted_texts_are_what_is_trained_on_and_what_is_held_out() -> None:
    config, shape = shaped(scheme="none", shift="texts")
    tiny = Tiny.of()
    assert shape.text_shift is not None
    vectors = torch.from_numpy(tiny.training_set.vectors[np.arange(9)])
    moved = F.normalize(vectors.float() + shape.text_shift, dim=-1)
    assert torch.equal(noisy(vectors, range(9), config, 1, 0, shape), moved)
    model = tiny.model().eval()
    task = DecoderTask(model, tiny.vocabulary, tiny.training_set)
    samples = dataclasses.replace(tiny.samples, shape=shape)
    rows = np.arange(9)
    with torch.no_grad():
        parts = task.loss(moved, rows)
    found = evaluate(task, samples, rows, None, Processes("cpu"))
    assert found["loss"] == pytest.approx(float(parts.total / parts.basis), rel=1e-5)


def test_measured_noise_without_a_measurement_is_refused() -> None:
    for noise in (NoiseConfig(scheme="gap", images="photos"), NoiseConfig(scheme="covariance", images="photos")):
        with pytest.raises(NounflowError, match="nothing was measured here"):
            noise_angles(unit(np.random.default_rng(0).standard_normal((4, DIM))).astype(np.float32), noise)


# --- the way through the files ---


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Texts, and images that lie a shift away from them; the gap measured by the script."""
    folder = write_project(tmp_path_factory.mktemp("gap"))
    texts = np.asarray(read_shard(folder / "shards/m1/0.json")[1], dtype=np.float32)
    shift = 0.5 * unit(np.random.default_rng(5).standard_normal(DIM))
    identity = read_manifest(folder / "shards/m1/0.json").embedder
    images = unit(texts + shift)
    write_shard(
        folder / "images.json",
        images,
        embedder=identity,
        lexicon="",
        source="photos",
        start=0,
        texts="",
        batch_tokens=0,
        files=tuple(map(str, range(len(images)))),
    )
    command = [
        sys.executable, "workflow_scripts/measure_gap.py", "--training-set", str(folder / "set/manifest.json"),
        "--images", str(folder / "images.json"), "--image-set", "photos", "--threads", "1",
        "--out", str(folder / "gap.json"), "--counts", str(folder / "gap.counts.json"),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def test_a_run_subtracts_the_shift_from_images_and_its_predictor_does_so_for_everyone(
    project: Path, tmp_path: Path
) -> None:
    settings = {"training": {"samples": 512, "batch_size": 64}, "noise": {"images": "photos", "shift": "images"}}
    done = run_training(project, tmp_path / "a", settings, "--gap", str(project / "gap.json"), kind="head")
    assert done.returncode == 0, done.stdout
    manifest, tensors = read_predictor(tmp_path / "a/manifest.json")
    shift = tensors.pop(IMAGE_SHIFT).numpy()
    assert manifest.settings["noise"]["shift"] == "images"
    assert manifest.parameters == sum(tensor.numel() for tensor in tensors.values())
    assert np.allclose(shift, json.loads((project / "gap.json").read_text())["shift"], atol=1e-6)
    images = np.asarray(read_shard(project / "images.json")[1], dtype=np.float32)
    found = load_predictor(tmp_path / "a/manifest.json", "cpu").answer(images, 5)
    bare = HeadPredictor(manifest, tensors, "cpu")
    expected = bare.answer(unit(images - shift).astype(np.float32), 5)
    assert np.array_equal(found.nouns, expected.nouns)
    assert np.allclose(found.scores, expected.scores, atol=1e-5)
    assert not np.allclose(found.scores, bare.answer(images, 5).scores, atol=1e-3)


def test_means_are_taken_off_texts_and_images_each_its_own() -> None:
    generator = np.random.default_rng(3)
    texts, images = unit(generator.standard_normal((50, 32)) + 1), unit(generator.standard_normal((40, 32)) - 1)
    training_set = texts_of(texts)
    gap = measured(training_set, images)
    shape = shape_of(NoiseConfig(shift="means", images="s"), gap, "d")
    assert shape.text_shift is not None
    assert shape.image_shift is not None
    kept = training_set.vectors[np.arange(50)].astype(np.float64)
    assert np.allclose(kept.mean(0) + shape.text_shift.numpy(), 0, atol=1e-6)
    assert np.allclose(images.mean(0) - shape.image_shift.numpy(), 0, atol=1e-6)
    with pytest.raises(MismatchError, match="kept no means"):
        shape_of(NoiseConfig(shift="means", images="s"), gap.model_copy(update={"image_mean": ()}), "d")


def test_a_run_that_shifts_texts_takes_images_as_they_are(project: Path, tmp_path: Path) -> None:
    settings = {"training": {"samples": 512, "batch_size": 64}, "noise": {"images": "photos", "shift": "texts"}}
    done = run_training(project, tmp_path / "a", settings, "--gap", str(project / "gap.json"), kind="head")
    assert done.returncode == 0, done.stdout
    manifest, tensors = read_predictor(tmp_path / "a/manifest.json")
    assert IMAGE_SHIFT not in tensors
    images = np.asarray(read_shard(project / "images.json")[1], dtype=np.float32)
    found = load_predictor(tmp_path / "a/manifest.json", "cpu").answer(images, 5)
    assert np.array_equal(found.scores, HeadPredictor(manifest, tensors, "cpu").answer(images, 5).scores)
    assert HeadConfig.model_validate(manifest.settings["head"]) == HeadConfig()


def test_a_gap_of_something_else_is_refused_with_both_sides_named(project: Path) -> None:
    texts = open_training_set(project / "set/manifest.json")
    config = NoiseConfig(scheme="gap", images="photos")
    assert isinstance(load_noise_shape(config, project / "gap.json", texts), NoiseShape)
    with pytest.raises(NounflowError, match="--gap"):
        load_noise_shape(config, None, texts)
    with pytest.raises(MismatchError, match=r"image set: photos, .* others"):
        load_noise_shape(config.model_copy(update={"images": "others"}), project / "gap.json", texts)
    other = texts.manifest.model_copy(update={"index_sha256": "f" * 64})
    with pytest.raises(MismatchError, match=r"training set: .* f{64}"):
        load_noise_shape(config, project / "gap.json", dataclasses.replace(texts, manifest=other))


def test_axes_and_variances_agree() -> None:
    vectors = torch.randn(30, 7, generator=torch.Generator().manual_seed(0)).double()
    axes, variances = principal_axes(vectors)
    assert torch.allclose(axes.square().sum(0), variances)


# --- config ---

RUN = {"lexicon": "a", "embedder": "e", "mixture": "m"}
PARTS = {
    "lexicons": {"a": {}},
    "embedders": {"e": {"spec": "bundled:minilm-conse"}},
    "mixtures": {"m": {"multiset": [1]}},
    "image_sets": {"mine": {"folder": "x"}},
}


@pytest.mark.parametrize(
    ("run", "message"),
    [
        ({"noise": {"scheme": "gap"}}, "runs.r.noise: scheme gap, .* need `images`"),
        ({"noise": {"scheme": "gap", "images": "none"}}, "runs.r.noise.images: found 'none', allowed: mine"),
        ({"noise": {"shift": "images", "images": "mine"}, "predictor": "retrieval"}, "retrieval is not trained"),
    ],
)
def test_a_config_names_an_image_set_that_there_is(run: dict[str, Any], message: str) -> None:
    with pytest.raises(NounflowError, match=message):
        load_config({**PARTS, "runs": {"r": {**RUN, **run}}})
