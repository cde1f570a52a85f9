"""`auto`: what the config does not say follows the embedder, what it says stands, and both are told."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from training_material import run_training, tiny_training_set, write_project

from nounflow.config.auto import settled_noise, why_noise
from nounflow.config.experiment import load_config
from nounflow.config.modality_gaps import gap_statistics
from nounflow.config.noise import NoiseConfig
from nounflow.errors import NounflowError
from nounflow.schemas.documents import read_document
from nounflow.schemas.embeddings import EmbedderIdentity, TrainingSetManifest
from nounflow.schemas.models import PredictorManifest
from nounflow.store.training_set import TrainingSet
from nounflow.training.noise_fit import noise_angle, noise_warning
from nounflow.training.noise_shape import NO_SHAPE, NoiseShape

BUNDLED, SIGLIP = "bundled:minilm-conse", "openclip:timm/ViT-B-16-SigLIP"

RECIPE = "gauss_elem_uniform_angle, norm 3.25, angle_min 45, angle_max 75, mix_ratio 0.15, linear 0 to 1"


def config_with(run: dict[str, Any], spec: str = SIGLIP) -> Any:
    run = {"lexicon": "small", "embedder": "e", "mixture": "m", **run}
    return load_config(
        {
            "lexicons": {"small": {}},
            "embedders": {"e": {"spec": spec}},
            "mixtures": {"m": {"multiset": [1]}},
            "runs": {"r": run},
            "image_sets": {"photos": {"source": "tuxpaint"}},
        }
    ).runs["r"]


def test_on_the_bundled_embedder_auto_is_weak_and_rises() -> None:
    unsaid: tuple[dict[str, Any], ...] = ({}, {"noise": "auto"}, {"noise": {}})
    for noise in unsaid:
        run = config_with(noise, BUNDLED)
        assert run.shaping()["noise"] == NoiseConfig(scheme="gauss_elem", norm=0.6, schedule="linear").shaping()
    assert config_with({"predictor": "retrieval"}, BUNDLED).retrieval.temperature == 0.05


@pytest.mark.parametrize("spec", [SIGLIP, "openclip:ViT-B-32/laion2b_s34b_b79k", "transformers:a/b"])
def test_a_contrastive_tower_gets_the_published_recipe_and_its_own_temperature(spec: str) -> None:
    found = config_with({}, spec).noise
    assert found.described == RECIPE
    assert config_with({"predictor": "retrieval"}, spec).retrieval.temperature == "tower"


def test_what_the_config_says_wins_key_by_key() -> None:
    assert config_with({"noise": {"norm": 1.5}}).noise.norm == 1.5
    assert config_with({"noise": {"norm": 1.5}}).noise.scheme == "gauss_elem_uniform_angle"
    said = config_with({"noise": {"scheme": "gauss_elem", "norm": 0.6}}).noise
    assert said.described == "gauss_elem, norm 0.6"  # without the schedule of another scheme
    assert config_with({"noise": {"scheme": "none"}}).noise.scheme == "none"
    assert config_with({"predictor": "retrieval", "retrieval": {"temperature": None}}).retrieval.temperature is None
    assert config_with({"predictor": "retrieval", "retrieval": {"temperature": 0.05}}).retrieval.temperature == 0.05


def test_images_that_nothing_else_asks_for_are_there_to_measure_the_gap() -> None:
    assert config_with({"noise": {"images": "photos"}}).noise.scheme == "gap"
    shifted = config_with({"noise": {"images": "photos", "shift": "texts"}}, BUNDLED).noise
    assert shifted.scheme == "gauss_elem"


def test_what_was_settled_settles_to_itself() -> None:
    for said in ({}, {"images": "photos"}, {"norm": 2.0}):
        once = settled_noise(NoiseConfig(**said), SIGLIP)
        again = settled_noise(NoiseConfig.model_validate(json.loads(once.model_dump_json())), BUNDLED)
        assert again == once


def test_a_key_that_does_not_go_with_the_choice_is_one_line() -> None:
    with pytest.raises(NounflowError, match=r"runs\.r\.noise: angle_min \(80\) must be below angle_max \(75\)"):
        config_with({"noise": {"angle_min": 80}})


def test_the_reason_names_the_rule_or_what_auto_would_have_been() -> None:
    assert why_noise(config_with({}).noise, SIGLIP).startswith("auto: the published recipe")
    assert "auto would be gauss_elem, norm 0.6" in why_noise(NoiseConfig(norm=1.0), BUNDLED)
    assert "photos" in why_noise(config_with({"noise": {"images": "photos"}}).noise, SIGLIP)


@pytest.mark.parametrize(
    ("spec", "noise", "warned"),
    [
        (SIGLIP, {"norm": 0.6}, True),  # the trap: 31 degrees for a gap of 85
        (SIGLIP, {"norm": 1.75}, True),  # 60 degrees: published -9 points
        (SIGLIP, {"norm": 3.25}, False),
        (SIGLIP, {"scheme": "none"}, True),
        ("openclip:/my/folder", {"norm": 0.6}, True),
        ("openclip:/my/folder", {"norm": 3.25}, False),
        (BUNDLED, {"norm": 0.6}, False),
        (BUNDLED, {"norm": 3.25}, True),
    ],
)
def test_noise_far_from_the_gap_is_told_in_one_line(spec: str, noise: dict[str, Any], warned: bool) -> None:
    texts = tiny_training_set(8, dim=512)
    texts = open_with(texts, spec)
    found = noise_warning(NoiseConfig(**noise), texts, NO_SHAPE)
    assert (found is not None) == warned
    assert found is None or "\n" not in found


def test_auto_is_never_far_from_a_known_gap() -> None:
    for row in gap_statistics().values():
        texts = open_with(tiny_training_set(8, dim=row.dim), row.spec)
        assert noise_warning(settled_noise(NoiseConfig(), row.spec), texts, NO_SHAPE) is None, row.name


def test_angles_that_were_measured_are_not_far_from_themselves() -> None:
    texts = open_with(tiny_training_set(8, dim=64), SIGLIP)
    shape = NoiseShape(angles=torch.full((101,), 20.0))
    noise = NoiseConfig(scheme="gap", images="photos")
    assert noise_warning(noise, texts, shape) is None
    assert noise_angle(noise, texts, shape) == pytest.approx(20, abs=0.1)


def open_with(texts: TrainingSet, spec: str) -> TrainingSet:
    """The training set as if its vectors were of another embedder."""
    identity = EmbedderIdentity(
        spec=spec, dim=texts.vectors.shape[1], digest="d", weights="w", tokenizer="t", preprocessing="p", precision="p"
    )
    manifest = TrainingSetManifest(
        embedder=identity, lexicon="", lexicon_path="", mixture={}, shards=(), samples=0, heldout=0, index_sha256=""
    )
    return dataclasses.replace(texts, manifest=manifest)


@pytest.mark.parametrize("kind", ["head", "retrieval"])
def test_a_run_says_in_log_and_manifest_what_was_chosen_and_why(tmp_path: Path, kind: str) -> None:
    folder = write_project(tmp_path)
    done = run_training(folder, folder / "run", {}, kind=kind)
    assert done.returncode == 0, done.stderr
    manifest = read_document(PredictorManifest, folder / "run/manifest.json", "manifest")
    said = {"head": "noise: gauss_elem, norm 0.6", "retrieval": "temperature 0.05"}[kind]
    setting = said.split()[0].removesuffix(":")
    assert said in done.stdout
    assert manifest.reasons[setting].startswith("auto: ")
    assert manifest.reasons[setting] in done.stdout


def test_a_tower_gives_retrieval_its_own_logit_scale(tmp_path: Path) -> None:
    folder = write_project(tmp_path, logit_scale=50.0)
    done = run_training(folder, folder / "run", {"retrieval": {"temperature": "tower"}}, kind="retrieval")
    assert done.returncode == 0, done.stderr
    manifest = read_document(PredictorManifest, folder / "run/manifest.json", "manifest")
    assert manifest.settings["retrieval"]["temperature"] == pytest.approx(0.02)
    assert "the tower's own logit scale" in manifest.reasons["temperature"]
