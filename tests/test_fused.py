"""Predictors combined by a rule that is fitted to held-out texts, and what is fitted to them for retrieval."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.optimize
import torch
from training_material import DIM, NAMES, SMALL, run_training, write_project

from nounflow.config.head import HeadConfig
from nounflow.config.noise import NoiseConfig
from nounflow.counts import Counts
from nounflow.decoder.model import ObjectDecoder
from nounflow.decoder.vocabulary import TargetVocabulary
from nounflow.errors import DamagedFileError, MismatchError, NounflowError
from nounflow.predictors.fused import FusedPredictor, evidence
from nounflow.predictors.head import NounHead
from nounflow.predictors.loading import load_parts, load_predictor
from nounflow.predictors.log_linear import LogLinear, fit
from nounflow.predictors.retrieval_training import fit_temperature
from nounflow.schemas.documents import read_document
from nounflow.schemas.models import FusedRule, PredictorManifest
from nounflow.schemas.tables import lexicon_digest
from nounflow.store.training_set import open_training_set
from nounflow.store.weights import write_predictor
from nounflow.training.heldout import HeldOut, held_out
from nounflow.training.noun_embeddings import noun_embeddings

PARTS = ("decoder", "head", "retrieval")


def fit_fused(folder: Path, **fused: int) -> subprocess.CompletedProcess[str]:
    settings = {"fused": {"candidates": 4, **fused}, "noise": {"norm": 0.3}}
    parts = [str(folder / f"runs/{part}/manifest.json") for part in PARTS]
    return run_training(folder, folder / "runs/fused", settings, "--parts", *parts, kind="fused", run="fused")


def write_part(folder: Path, name: str, module: ObjectDecoder | NounHead, **fields: Any) -> PredictorManifest:
    """A predictor with random weights on the project's lexicon and embedder."""
    manifest = open_training_set(folder / "set/manifest.json").manifest
    fields = {"lexicon": manifest.lexicon, "nouns": tuple(NAMES), **fields}
    return write_predictor(
        folder / f"runs/{name}/manifest.json", module.state_dict(), run=name, embedder=manifest.embedder,
        lexicon_path="nouns.parquet", samples=0, **fields,
    )  # fmt: skip


def write_head(folder: Path, name: str = "head", seed: int = 0, **fields: Any) -> None:
    torch.manual_seed(seed)
    head = NounHead(DIM, len(NAMES), HeadConfig())
    write_part(folder, name, head, predictor="head", settings={"head": HeadConfig().model_dump()}, **fields)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a decoder and a head of random weights, a real index, and the three fused."""
    folder = write_project(tmp_path_factory.mktemp("fused"), texts_per_noun=40)
    torch.manual_seed(1)
    ids = [[1000 + i % 5, *([1010 + i // 5] if i > 4 else [])] for i in range(len(NAMES))]
    vocabulary = TargetVocabulary.build(NAMES, ids)
    decoder = ObjectDecoder(DIM, vocabulary.size, vocabulary.max_tokens, SMALL)
    settings = {"decoder": SMALL.model_dump(mode="json")}
    write_part(folder, "decoder", decoder, predictor="decoder", settings=settings, tokens=vocabulary.as_dict())
    write_head(folder)
    done = run_training(
        folder, folder / "runs/retrieval", {"retrieval": {"temperature": None}}, kind="retrieval", run="retrieval"
    )
    assert done.returncode == 0, done.stdout
    assert "temperature 0.0" in done.stdout
    done = fit_fused(folder)
    assert done.returncode == 0, done.stdout
    return folder


@pytest.fixture
def project(finished: Path, tmp_path: Path) -> Path:
    shutil.copytree(finished, tmp_path / "project")
    return tmp_path / "project"


@pytest.fixture(scope="module")
def embeddings() -> np.ndarray:
    rows = np.random.default_rng(3).standard_normal((7, DIM)).astype(np.float32)
    unit: np.ndarray = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


def evidence_of(n: int = 60, candidates: int = 5, parts: int = 2, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Random log-probabilities, some candidates missing, and which one is right."""
    generator = np.random.default_rng(seed)
    scores = -generator.exponential(3.0, (n, candidates, parts)).astype(np.float32)
    scores[generator.random((n, candidates)) < 0.2] = -np.inf
    present = ~np.isneginf(scores).all(-1)
    truth = np.array([generator.choice([*np.flatnonzero(row), candidates]) for row in np.asarray(present)])
    return scores, truth


# --- the rule ---


def test_a_rule_gives_the_normalised_product_of_powers() -> None:
    scores, _truth = evidence_of(n=5)
    found = np.exp(LogLinear((0.7, 1.9), -2.0).log_probabilities(scores))
    for row, p in zip(scores.astype(float), found, strict=True):
        powers = [np.exp(one[0]) ** 0.7 * np.exp(one[1]) ** 1.9 for one in row] + [np.exp(-2.0)]
        assert p == pytest.approx(np.array(powers) / sum(powers))


@pytest.mark.parametrize("parts", [1, 2, 3])
def test_the_fitted_rule_is_the_one_that_a_general_optimiser_finds(parts: int) -> None:
    scores, truth = evidence_of(parts=parts)

    def loss(values: np.ndarray) -> float:
        p = LogLinear(tuple(values[:-1]), values[-1]).log_probabilities(scores)
        start = np.array([1 / parts] * parts + [-5.0])
        return float(-p[np.arange(len(p)), truth].sum() + ((values - start) ** 2).sum() / 2)

    rule = fit(scores, truth)
    expected = scipy.optimize.minimize(loss, np.zeros(parts + 1), options={"gtol": 1e-9}).x
    assert (*rule.weights, rule.none) == pytest.approx(expected, abs=1e-4)


def test_a_part_that_knows_outweighs_one_that_guesses() -> None:
    generator = np.random.default_rng(0)
    scores = -generator.exponential(3.0, (200, 6, 2)).astype(np.float32)
    truth = scores[:, :, 0].argmax(axis=1)
    rule = fit(scores, truth)
    assert rule.weights[0] > 1 > abs(rule.weights[1])


# --- the predictor ---


def test_nouns_have_the_same_probability_given_and_found(finished: Path, embeddings: np.ndarray) -> None:
    for part in load_parts([finished / f"runs/{name}/manifest.json" for name in PARTS], "cpu", len(NAMES)):
        answers = part.answer(embeddings, len(NAMES))
        given = part.log_probabilities(embeddings, answers.nouns)
        assert np.exp(given) == pytest.approx(answers.probabilities, rel=1e-4)
        assert (part.log_probabilities(embeddings, np.full((7, 2), -1)) == -np.inf).all()


def test_candidates_are_what_any_part_puts_forward_each_once(finished: Path, embeddings: np.ndarray) -> None:
    parts = load_parts([finished / f"runs/{name}/manifest.json" for name in PARTS], "cpu", 3)
    nouns, scores = evidence(parts, embeddings, 3)
    for i, row in enumerate(nouns):
        expected = {int(noun) for part in parts for noun in part.answer(embeddings, 3).nouns[i]}
        assert sorted(row[row >= 0]) == sorted(expected)
    assert np.isneginf(scores[nouns < 0]).all()
    assert np.isfinite(scores[nouns >= 0]).all()


def test_fused_answers_equal_brute_force_over_all_nouns(project: Path, embeddings: np.ndarray) -> None:
    assert fit_fused(project, candidates=len(NAMES)).returncode == 0
    rule = read_document(FusedRule, project / "runs/fused/rule.json", "rule")
    everything = np.tile(np.arange(len(NAMES)), (len(embeddings), 1))
    total = np.zeros((len(embeddings), len(NAMES)))
    for part in rule.parts:
        predictor = load_predictor(project / "runs/fused" / part.path, "cpu")
        total += part.weight * predictor.log_probabilities(embeddings, everything)
    expected = np.exp(total) / (np.exp(total).sum(axis=1, keepdims=True) + np.exp(rule.none))
    fused = load_predictor(project / "runs/fused/manifest.json", "cpu")
    answers = fused.answer(embeddings, 5)
    order = np.argsort(-expected, axis=1)[:, :5]
    assert answers.nouns.tolist() == order.tolist()
    assert answers.texts == [[NAMES[i] for i in row] for row in order]
    assert answers.probabilities == pytest.approx(np.take_along_axis(expected, order, axis=1), rel=1e-4)
    assert np.exp(fused.log_probabilities(embeddings, everything)) == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_a_list_is_answered_whole_however_unlikely_and_probabilities_stay(
    project: Path, embeddings: np.ndarray
) -> None:
    rule = read_document(FusedRule, project / "runs/fused/rule.json", "rule")
    rule = rule.model_copy(update={"parts": rule.parts[1:]})
    parts = load_parts([project / f"runs/{part}/manifest.json" for part in PARTS[1:]], "cpu", rule.candidates)
    fused = FusedPredictor(load_predictor(project / "runs/fused/manifest.json", "cpu").manifest, rule, parts)
    free = fused.answer(embeddings, 3)
    more = fused.answer(embeddings, len(NAMES))
    assert np.allclose(more.probabilities[:, :3], free.probabilities)  # however many are asked for
    names = [free.texts[0][0], *(name for name in NAMES if name not in free.texts[0])][:4]  # one is a part's likeliest
    listed, left_out = fused.guided_by([name.upper() for name in names] + ["no such noun"])
    assert left_out == [*(name.upper() for name in names if name.lower() != name), "no such noun"]
    found = listed.answer(embeddings, 4)
    assert set(found.texts[0]) == {name.upper() for name in names}
    assert (found.texts[0][0], found.probabilities[0, 0]) == (names[0].upper(), pytest.approx(free.probabilities[0, 0]))


def test_a_rule_says_what_it_was_fitted_to_and_how_well_each_part_does_alone(finished: Path) -> None:
    rule = read_document(FusedRule, finished / "runs/fused/rule.json", "rule")
    texts = open_training_set(finished / "set/manifest.json")
    assert [part.run for part in rule.parts] == list(PARTS)
    assert rule.texts == int(texts.heldout.sum())
    assert rule.training_set == texts.manifest.index_sha256
    assert rule.log_likelihood > max(part.log_likelihood for part in rule.parts[:2])  # of random weights
    assert rule.parts[2].top1 > 0.5 > rule.parts[0].top1


def test_fitting_again_gives_the_same_bytes(project: Path) -> None:
    before = (project / "runs/fused/rule.json").read_bytes()
    assert fit_fused(project).returncode == 0
    assert (project / "runs/fused/rule.json").read_bytes() == before


def test_a_run_folder_can_be_moved_with_its_parts(project: Path, tmp_path: Path, embeddings: np.ndarray) -> None:
    before = load_predictor(project / "runs/fused/manifest.json", "cpu").answer(embeddings, 3)
    shutil.move(project / "runs", tmp_path / "elsewhere")
    after = load_predictor(tmp_path / "elsewhere/fused/manifest.json", "cpu").answer(embeddings, 3)
    assert before.texts == after.texts


# --- what does not go together ---


def test_a_rule_is_refused_where_a_part_was_trained_anew(project: Path) -> None:
    write_head(project, seed=5)
    with pytest.raises(MismatchError, match="fitted to another 'head'"):
        load_predictor(project / "runs/fused/manifest.json", "cpu")


def test_parts_of_two_lexicons_are_refused(project: Path) -> None:
    nouns = tuple(reversed(NAMES))
    write_head(project, "other", nouns=nouns, lexicon=lexicon_digest(nouns))
    with pytest.raises(MismatchError, match="two lexicons"):
        load_parts([project / f"runs/{name}/manifest.json" for name in ("decoder", "other")], "cpu", 4)


def test_an_edited_rule_is_refused(project: Path) -> None:
    path = project / "runs/fused/rule.json"
    path.write_text(path.read_text().replace('"none": ', '"none": 1'))
    with pytest.raises(DamagedFileError):
        load_predictor(project / "runs/fused/manifest.json", "cpu")


def test_a_fused_predictor_is_no_part_of_another(finished: Path) -> None:
    with pytest.raises(NounflowError, match="cannot be part of another"):
        load_parts([finished / f"runs/{name}/manifest.json" for name in ("decoder", "fused")], "cpu", 4)


# --- held-out texts ---


def test_only_held_out_texts_of_one_noun_are_fitted_to(finished: Path) -> None:
    texts = open_training_set(finished / "set/manifest.json")
    found = held_out(texts, NoiseConfig(scheme="none"), seed=1, most=10)
    rows = np.flatnonzero(texts.heldout)
    assert len(found.nouns) == 10
    vectors = texts.vectors[rows].astype(np.float32)
    known = {vector.tobytes(): texts.targets[row] for vector, row in zip(vectors, rows, strict=True)}
    assert [known[vector.tobytes()] for vector in found.embeddings] == found.nouns.tolist()
    with pytest.raises(NounflowError, match="there are 0"):
        held_out(replace(texts, heldout=np.zeros_like(texts.heldout)), NoiseConfig(), seed=1, most=10)


def test_held_out_texts_get_noise_with_the_covariance_of_texts_where_it_is_asked_for(finished: Path) -> None:
    texts = open_training_set(finished / "set/manifest.json")
    noise = NoiseConfig(scheme="covariance", covariance="texts", norm=0.4)
    clean, noisy = (held_out(texts, n, seed=1, most=10).embeddings for n in (NoiseConfig(scheme="none"), noise))
    assert np.allclose(np.linalg.norm(noisy, axis=1), 1, atol=1e-6)
    cosines = (clean * noisy).sum(1)
    assert 0.8 < cosines.mean() < 0.99  # 1 / sqrt(1 + 0.4^2) is 0.93
    with pytest.raises(NounflowError, match="measured gap"):
        held_out(texts, NoiseConfig(scheme="gap", images="photos"), seed=1, most=10)


def test_a_part_that_moves_texts_or_images_is_refused(project: Path) -> None:
    for shift in ("texts", "images"):
        settings = {"head": HeadConfig().model_dump(), "noise": {"shift": shift, "images": "photos"}}
        torch.manual_seed(0)
        head = NounHead(DIM, len(NAMES), HeadConfig())
        write_part(project, "moving", head, predictor="head", settings=settings)
        with pytest.raises(NounflowError, match=r"noise\.shift"):
            load_parts([project / "runs/moving/manifest.json"], "cpu", 4)


def test_an_index_is_made_without_the_held_out_texts_and_without_losing_a_noun(finished: Path) -> None:
    texts = open_training_set(finished / "set/manifest.json")
    heldout = np.zeros_like(texts.heldout)
    heldout[texts.targets == 0] = True  # all texts of one noun
    heldout[np.flatnonzero(texts.targets == 1)[:3]] = True
    flow = Counts("models").flow("texts", len(heldout), "texts")
    index = noun_embeddings(replace(texts, heldout=heldout), len(NAMES), flow)
    for noun, rows in ((0, np.flatnonzero(texts.targets == 0)), (1, np.flatnonzero(texts.targets == 1)[3:])):
        mean = texts.vectors[rows].astype(np.float64).sum(axis=0)
        assert index[noun] == pytest.approx(mean / np.linalg.norm(mean), abs=1e-5)


def test_the_fitted_temperature_is_the_likeliest() -> None:
    generator = np.random.default_rng(0)
    index = generator.standard_normal((12, DIM)).astype(np.float32)
    index /= np.linalg.norm(index, axis=1, keepdims=True)
    nouns = generator.integers(0, 12, 300)
    noisy = index[nouns] + 0.3 * generator.standard_normal((300, DIM)).astype(np.float32)
    noisy /= np.linalg.norm(noisy, axis=1, keepdims=True)

    def loss(temperature: float) -> float:
        logits = noisy.astype(float) @ index.T / temperature
        return float(-(logits[np.arange(300), nouns] - np.log(np.exp(logits).sum(axis=1))).mean())

    temperature, likelihood = fit_temperature(index, HeldOut(noisy, nouns))
    expected = scipy.optimize.minimize_scalar(loss, bounds=(0.01, 1.0), method="bounded")
    assert temperature == pytest.approx(expected.x, rel=1e-2)
    assert likelihood == pytest.approx(-expected.fun, rel=1e-4)
