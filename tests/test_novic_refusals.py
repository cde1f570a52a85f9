"""Published checkpoints: what is strange is refused by name, and no code is run."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nounflow.cli import main
from nounflow.decoder.novic import PublishedDecoder, read_checkpoint
from nounflow.errors import DamagedFileError, NounflowError
from nounflow.predictors.novic import target_vocabulary

FIXTURE = Path(__file__).parent / "fixtures/novic"
CHECKPOINT = FIXTURE / "checkpoint.train"


@pytest.fixture(scope="module")
def published() -> PublishedDecoder:
    return read_checkpoint(CHECKPOINT)


def tampered(tmp_path: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    parts = torch.load(CHECKPOINT, weights_only=True)
    change(parts)
    torch.save(parts, tmp_path / "checkpoint.train")
    return tmp_path / "checkpoint.train"


def setting(**values: Any) -> Callable[[dict[str, Any]], object]:
    return lambda parts: parts["cfg_flat"].update(values)


def weight(name: str, value: torch.Tensor) -> Callable[[dict[str, Any]], object]:
    return lambda parts: parts["model_state_dict"].update({name: value})


FIRST = "transformer.layers.0.linear1.weight"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (setting(init_rezero_mode="perskip"), "cfg_flat.init_rezero_mode: found 'perskip', only 'none'"),
        (setting(mlp_hidden_layer="max"), "cfg_flat.mlp_hidden_layer: found 'max', only 'none'"),
        (setting(layer_bias=True), "cfg_flat.layer_bias: found True, only False"),
        (setting(logits_bias=True), "cfg_flat.logits_bias: found True, only False"),
        (setting(layer_norm_first=False), "cfg_flat.layer_norm_first: found False"),
        (setting(layer_activation="relu"), "cfg_flat.layer_activation: found 'relu'"),
        (setting(weight_tying=False), "cfg_flat.weight_tying: found False"),
        (setting(vocab_quant=True), "cfg_flat.vocab_quant: found True"),
        (setting(with_start_token=True), "cfg_flat.with_start_token: found True"),
        (setting(model="DudDecoder"), "cfg_flat.model: found 'DudDecoder'"),
        (setting(layer_scale=0.1), "cfg_flat.layer_scale: unknown, found 0.1"),
        (setting(hidden_dim=128), "logits_linear.weight: shape (484, 64), expected (484, 128)"),
        (setting(hidden_dim="64"), "width Input should be a valid integer"),
        (setting(num_heads=5), "width (64) must be a multiple of heads (5)"),
        (setting(feedfwd_scale="1/0"), "cfg_flat.feedfwd_scale: found '1/0'"),
        (setting(strictly_causal=True), "causality_mask: another attention"),
        (lambda parts: parts["cfg_flat"].pop("num_layers"), "cfg_flat.num_layers: missing"),
        (lambda parts: parts["cfg_flat"].pop("layer_bias"), "cfg_flat.layer_bias: missing, where False is usual"),
        (lambda parts: parts.update(ema_state_dict={}), "ema_state_dict: unknown"),
        (lambda parts: parts.pop("target_nouns"), "target_nouns: missing"),
        (lambda parts: parts["target_config"].update(start_token_id=1), "target_config.start_token_id: found 1"),
        (lambda parts: parts["target_config"].update(case=1), "target_config.case: unknown"),
        (lambda parts: parts["target_config"]["compact_map"].fill_(3), "compact_map: not the inverse"),
        (lambda parts: parts["target_config"].update(vocab_size=480), "compact_unmap: 484 ids"),
        (lambda parts: parts.update(num_invalid_target_nouns=0), "target_nouns: an empty noun"),
        (lambda parts: parts["model_state_dict"].pop(FIRST), f"model_state_dict.{FIRST}: missing"),
        (weight("transformer.layers.0.linear1.bias", torch.zeros(16)), "linear1.bias: unknown"),
        (weight(FIRST, torch.zeros(17, 64)), f"{FIRST}: shape (17, 64), expected (16, 64)"),
        (weight(FIRST, torch.full((16, 64), math.nan)), f"{FIRST}: holds values that are not finite"),
        (weight(FIRST, torch.zeros(16, 64, dtype=torch.int64)), f"{FIRST}: no dense tensor of floats"),
    ],
)
def test_what_is_not_understood_is_refused_by_name(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], named: str
) -> None:
    with pytest.raises(NounflowError) as caught:
        read_checkpoint(tampered(tmp_path, change))
    assert named in caught.value.what


def test_one_strange_thing_is_one_line_and_several_are_all_listed(tmp_path: Path) -> None:
    with pytest.raises(NounflowError) as caught:
        read_checkpoint(tampered(tmp_path, setting(layer_bias=True)))
    assert "\n" not in caught.value.what
    with pytest.raises(NounflowError) as caught:
        read_checkpoint(tampered(tmp_path, setting(layer_bias=True, layer_scale=0.1, init_rezero_mode="perskip")))
    assert len(caught.value.what.splitlines()) == 4


def test_an_unknown_entry_can_be_passed_over_by_name_but_not_a_wrong_value(tmp_path: Path) -> None:
    path = tampered(tmp_path, setting(layer_scale=1.0, layer_bias=True))
    with pytest.raises(NounflowError) as caught:
        read_checkpoint(path)
    assert (caught.value.fix or "").endswith("--ignore cfg_flat.layer_scale")
    with pytest.raises(NounflowError, match="layer_bias"):
        read_checkpoint(path, ["cfg_flat.layer_scale", "cfg_flat.layer_bias"])
    path = tampered(tmp_path, setting(layer_scale=1.0))
    assert read_checkpoint(path, ["cfg_flat.layer_scale"]).config.width == 64


def test_a_setting_of_training_that_nobody_knows_is_named_and_passed_over(tmp_path: Path) -> None:
    found = read_checkpoint(tampered(tmp_path, setting(warmup_chunks=3)))
    assert "warmup_chunks" in found.not_read


def test_a_checkpoint_of_weights_only_is_read_too(tmp_path: Path, published: PublishedDecoder) -> None:
    parts = torch.load(CHECKPOINT, weights_only=True)
    kept = ("cfg_flat", "target_config", "model_state_dict", "target_nouns", "num_invalid_target_nouns")
    torch.save({name: parts[name] for name in kept}, tmp_path / "checkpoint.model")
    found = read_checkpoint(tmp_path / "checkpoint.model")
    assert all(torch.equal(found.tensors[name], published.tensors[name]) for name in published.tensors)


@pytest.mark.parametrize("in_a_zip", [True, False])
def test_a_file_that_would_run_code_is_refused_and_runs_none(
    tmp_path: Path, in_a_zip: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Callable[..., None], tuple[Path]]:
            return (Path.touch, (tmp_path / "sprung",))

    path = tmp_path / "trap.train"
    torch.save({"cfg_flat": Trap()}, path, _use_new_zipfile_serialization=in_a_zip)
    with pytest.raises(DamagedFileError, match="not opened: it would run code" if in_a_zip else "not opened") as caught:
        read_checkpoint(path)
    assert "\n" not in caught.value.what
    with pytest.raises(SystemExit):
        main(["import-novic", str(path), "--out", str(tmp_path / "run")])
    assert "trap.train" in capsys.readouterr().err
    assert not (tmp_path / "sprung").exists()
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("content", [b"", b"no checkpoint", CHECKPOINT.read_bytes()[:100_000]])
def test_a_broken_file_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "broken.train").write_bytes(content)
    with pytest.raises(DamagedFileError) as caught:
        read_checkpoint(tmp_path / "broken.train")
    assert "\n" not in caught.value.what


def test_nouns_that_the_tokenizer_spells_alike_leave_the_first(published: PublishedDecoder) -> None:
    class Alike:
        target_digest = ""

        def target_tokens(self, texts: Sequence[str]) -> list[list[int]]:
            return [[5], [6, 7], [5]]

        def target_decode(self, token_ids: Sequence[int]) -> str:
            raise AssertionError("nothing is decoded")

    nouns = ("ax", "bird house", "Ax")
    few = dataclasses.replace(published, nouns=nouns, tokenizer_ids=np.array([-1, 5, 6, 7]), max_tokens=3)
    vocabulary, repeated = target_vocabulary(few, Alike())
    assert (vocabulary.nouns, repeated) == (("ax", "bird house"), ("Ax",))
