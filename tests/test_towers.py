"""Facts of the recipes' towers against the configurations and tokenizers of the installed libraries."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import open_clip
import polars as pl
import pytest
import torch
from open_clip.tokenizer import SimpleTokenizer

from nounflow.config.experiment import read_config
from nounflow.embedders.openclip import SkipInitialisation
from nounflow.embedders.openclip_names import hub_files

ROOT = Path(__file__).parent.parent
TOWERS = pl.read_csv(ROOT / "resources/towers.tsv", separator="\t", comment_prefix="#")
each_tower = pytest.mark.parametrize("tower", TOWERS.to_dicts(), ids=TOWERS["model"].to_list())
RECIPES = ["vit_b32", "siglip2_so400m", "pe_core_l14", "dfn5b_h14"]


@each_tower
def test_a_tower_is_what_open_clip_says_it_is(tower: dict[str, Any]) -> None:
    config = open_clip.get_model_config(tower["model"])
    text = config["text_cfg"]
    assert (config["embed_dim"], text["context_length"]) == (tower["dim"], tower["context"])
    assert config["vision_cfg"]["image_size"] == tower["side"]
    assert bool(text.get("no_causal_mask") or text.get("pool_type") == "last") == (tower["padded"] == "yes")
    assert ("init_logit_bias" in config) == (tower["bias"] == "yes")


@each_tower
def test_its_weights_are_as_large_as_said(tower: dict[str, Any]) -> None:
    with SkipInitialisation():
        model = open_clip.create_model(tower["model"], pretrained=None, load_weights=False, device="meta")
    assert 4 * sum(part.numel() for part in model.parameters()) / 1e9 == pytest.approx(tower["gigabytes"], abs=0.006)
    assert isinstance(model.logit_scale, torch.nn.Parameter)  # which retrieval takes its temperature from


@each_tower
def test_texts_are_lower_cased_before_they_are_spelled(tower: dict[str, Any]) -> None:
    text = open_clip.get_model_config(tower["model"])["text_cfg"]
    if "hf_tokenizer_name" not in text:
        tokenizer = SimpleTokenizer(context_length=text["context_length"])
        same = torch.equal(tokenizer(["A CPU."]), tokenizer(["a cpu."]))
    else:
        clean = getattr(open_clip.tokenizer, f"_clean_{text['tokenizer_kwargs']['clean']}")
        same = clean("A CPU.") == clean("a cpu.")
    assert same == (tower["lower"] == "yes")


@each_tower
def test_its_spec_leads_to_that_model(tower: dict[str, Any]) -> None:
    name = tower["spec"].removeprefix("openclip:")
    model, _, tag = name.partition("/")
    if model in open_clip.list_models():
        assert model == tower["model"]
        assert tag in open_clip.list_pretrained_tags_by_model(model)
    else:
        tags = open_clip.list_pretrained_tags_by_model(tower["model"])
        assert name in {found.repository for tag in tags if (found := hub_files(tower["model"], tag))}


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_leaves_to_auto_what_follows_the_embedder_and_says_its_facts(name: str) -> None:
    path = ROOT / "config/recipes" / f"{name}.yaml"
    config = read_config([ROOT / "config/config.yaml", path])
    (spec,) = {config.embedders[run.embedder].spec for run in config.runs.values()}
    (tower,) = TOWERS.filter(pl.col("spec") == spec).iter_rows(named=True)
    for fact in (f"{tower['gigabytes']:.2f} GB of weights", f"{tower['dim']} dimensions", f"{tower['context']} tokens"):
        assert fact in path.read_text()
    assert {run.predictor for run in config.runs.values()} == {"decoder", "head", "retrieval", "fused"}
    assert {run.noise.described for run in config.runs.values()} == {
        "gauss_elem_uniform_angle, norm 3.25, angle_min 45, angle_max 75, mix_ratio 0.15, linear 0 to 1"
    }
    assert config.runs[f"{name}_retrieval"].shaping()["retrieval"] == {"temperature": "tower"}
