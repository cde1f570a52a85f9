"""Every recipe is a valid config when laid over the default one; those of the paper say what the paper says."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from nounflow.config.experiment import Config, read_config
from nounflow.config.runs.decoder import DecoderRun
from nounflow.decoder.model import ObjectDecoder

CONFIG = Path(__file__).parent.parent / "config"
RECIPES = sorted((CONFIG / "recipes").glob("*.yaml"))
DIMENSIONS = {
    "openclip:timm/ViT-B-16-SigLIP": 768,
    "openclip:timm/ViT-SO400M-14-SigLIP": 1152,
    "openclip:apple/DFN5B-CLIP-ViT-H-14-378": 1024,
}
PUBLISHED = [("novic_ft0", 42_919, 433), ("novic_ft2", 11_897, 899)]  # nouns, chunks of training


def recipe(name: str) -> Config:
    return read_config([CONFIG / "config.yaml", CONFIG / "recipes" / f"{name}.yaml"])


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_is_valid_over_the_default_config_and_says_how_to_run_it(path: Path) -> None:
    config = read_config([CONFIG / "config.yaml", path])
    assert config.runs
    text = path.read_text()
    command = next(line for line in text.splitlines() if line.startswith("#   snakemake "))
    assert command.endswith(f"--configfile config/recipes/{path.name}")  # it takes all that stands behind it
    for target in command.split()[2:]:
        if target.startswith("results/models/"):
            assert target.split("/")[2] in config.runs


@pytest.mark.parametrize(("name", "nouns", "chunks"), PUBLISHED)
def test_the_published_recipes_are_the_published_ones(name: str, nouns: int, chunks: int) -> None:
    config = recipe(name)
    samples = chunks * 512 * math.ceil(50 * nouns / 512)  # a chunk: 50 samples a noun, in whole batches of 512
    assert {config.embedders[run.embedder].spec for run in config.runs.values()} == set(DIMENSIONS)
    for run in config.runs.values():
        assert isinstance(run, DecoderRun)
        assert (run.training.batch_size, run.training.learning_rate, run.training.warmup) == (8192, 1.5e-3, 0)
        assert (run.training.weight_decay, run.training.beta2, run.training.clip) == (0.1, 0.95, 1.0)
        assert run.training.samples == samples
        assert run.noise.scheme == "gauss_elem_uniform_angle"
        assert (run.noise.norm, run.noise.angle_min, run.noise.angle_max, run.noise.mix_ratio) == (3.25, 45, 75, 0.15)
        assert run.generation.name == "beam_k10_vnone_gp_t1_a0"
        weights = config.mixtures[run.mixture].weights
        captions, multisets = weights.pop("llm"), sum(weights.values())
        assert captions / multisets == pytest.approx(0.288, abs=0.002)


@pytest.mark.parametrize("name", ["novic_ft0", "novic_ft2"])
def test_a_published_decoder_has_as_many_parameters_as_the_formula_says(name: str) -> None:
    config = recipe(name)
    vocabulary, longest = 6900, 12
    for run in config.runs.values():
        assert isinstance(run, DecoderRun)
        dim = DIMENSIONS[config.embedders[run.embedder].spec]
        with torch.device("meta"):
            model = ObjectDecoder(dim, vocabulary, longest, run.decoder)
        # prefix, trunk with its final norm, tied vocabulary and positions
        assert model.parameter_count == 4 * 512 * dim + 7_084_544 + 512 * (vocabulary + longest + 3)
