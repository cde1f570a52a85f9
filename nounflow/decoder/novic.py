"""Published NOVIC checkpoints (`.train`, `.model`): read without running code, and understood or refused by name.

The file is a pickled dict: a flat config, the target vocabulary's description, weights, noun list, and state of the
training that is of no use here. Architecture: NOVIC paper, section 3.3; `docs/decoder.md` says what is checked.
"""

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pydantic
import torch

from nounflow.config.decoder import DecoderConfig
from nounflow.decoder.model import ObjectDecoder
from nounflow.decoder.novic_file import Problems, load_parts, short

_PARTS = {"cfg_flat", "target_config", "model_state_dict", "target_nouns", "num_invalid_target_nouns"}
_OF_TRAINING = {
    "data_config", "train_loop_config", "train_loop_state", "optimizer_type", "optimizer_state_dict",
    "scheduler_warmup_state_dict", "scheduler_state_dict", "amp_scaler_enabled", "amp_scaler_state_dict",
}  # fmt: skip

# Settings that this decoder has in one form only.
_ONLY: dict[str, Any] = {
    "model": "PrefixedIterDecoder",
    "with_start_token": False,
    "with_end_token": True,
    "compact_ids": True,
    "weight_tying": True,
    "vocab_quant": False,
    "num_end_loss": 1,
    "mlp_hidden_layer": "none",
    "layer_activation": "gelu",
    "layer_norm_first": True,
    "layer_bias": False,
    "logits_bias": False,
    "init_rezero_mode": "none",
}
_SHAPE = {  # ours -> theirs
    "prefix_tokens": "mlp_seq_len",
    "width": "hidden_dim",
    "heads": "num_heads",
    "layers": "num_layers",
    "dropout": "layer_dropout",
    "strictly_causal": "strictly_causal",
}
_READ = {*_SHAPE.values(), "embedder_spec", "feedfwd_scale"}
# Settings that leave the trained function as it is: initial weights, what an absent hidden layer would be, dropout,
# how the attention is computed, loss and batches.
_INDIFFERENT = {
    "init_bias_zero", "init_mlp_mode", "init_mlp_unit_norm", "init_tfrm_mode", "init_tfrm_unit_norm",
    "init_tfrm_unit_postnorm", "init_tfrm_proj_layers", "init_zero_norm", "mlp_hidden_bias", "mlp_hidden_norm",
    "mlp_hidden_activation", "input_dropout", "enable_nested", "label_smoothing", "use_masks", "use_weights",
    "fixed_token_length",
}  # fmt: skip
_KNOWN = {*_ONLY, *_READ, *_INDIFFERENT}
# An unknown setting with such a name could shape the function. Others (data, optimizer, logging) could not.
_SHAPING = re.compile(
    r"^(model|mlp|hidden|feedfwd|layer|logits|init|input|weight_tying|strictly|causal|vocab_quant|with|compact|token"
    r"|pos|attn|attention|self_attn|cross|norm|rezero|transformer|tfrm|prefix|encoder|decoder|num_(layers|heads|end))"
    r"(_|$)"
)

_TARGETS: dict[str, Any] = {"start_token_id": None, "end_token_id": 0, "pad_token_id": 0, "compact_ids": True}
_TARGETS_READ = {"vocab_size", "token_length", "compact_map", "compact_unmap"}
_TARGETS_INDIFFERENT = {"token_dtype", "mask_dtype", "fixed_token_length", "use_masks"}

_MASK = "causality_mask"  # not a weight, but kept among them
_WEIGHT_NAMES = {  # ours -> theirs, outside the layers
    "prefix.weight": "embed_mlp.mlp.0.weight",
    "tokens.weight": "logits_linear.weight",
    "positions": "pos_embedding.embedding.weight",
    "norm.weight": "transformer.norm.weight",
}
_LAYER_NAMES = {
    "attention_norm.weight": "norm1.weight",
    "qkv.weight": "self_attn.in_proj_weight",
    "attention_out.weight": "self_attn.out_proj.weight",
    "feedforward_norm.weight": "norm2.weight",
    "feedforward_in.weight": "linear1.weight",
    "feedforward_out.weight": "linear2.weight",
}


@dataclass(frozen=True)
class PublishedDecoder:
    """What a checkpoint holds, in our terms."""

    config: DecoderConfig
    dim: int  # of the embeddings that it reads
    tensors: dict[str, torch.Tensor]  # float32, by the names of ObjectDecoder
    nouns: tuple[str, ...]
    tokenizer_ids: np.ndarray  # int64 [vocabulary]: compact id -> tokenizer id; entry 0 is unused
    max_tokens: int  # longest noun in tokens, END included
    embedder: str  # spec as the checkpoint writes it
    settings: dict[str, Any]  # its config, for the record
    not_read: tuple[str, ...]  # names in the config that nothing here knows and that cannot shape the function


def read_checkpoint(path: Path, ignore: Collection[str] = ()) -> PublishedDecoder:
    """Read a published checkpoint.

    Args:
        ignore: names, as the refusal writes them, of unknown entries that are to be passed over, and of missing
            settings that are to be taken as usual.

    Raises:
        DamagedFileError: the file is no checkpoint, or holds more than data.
        MismatchError: something in it is not understood; all such things are named.
    """
    parts = load_parts(path)
    problems = Problems(set(ignore))
    problems.keys("", parts, _PARTS, _OF_TRAINING)
    problems.stop(path)
    for name in ("cfg_flat", "target_config", "model_state_dict"):
        if not isinstance(parts[name], Mapping):
            problems.add(name, f"found {type(parts[name]).__name__}, expected a dict")
    problems.stop(path)
    settings, targets, weights = parts["cfg_flat"], parts["target_config"], parts["model_state_dict"]
    _check_settings(settings, problems)
    problems.keys("target_config.", targets, set(_TARGETS) | _TARGETS_READ, _TARGETS_INDIFFERENT)
    problems.values("target_config.", targets, _TARGETS)
    problems.stop(path)
    config = _decoder_config(settings, problems)
    tokenizer_ids = _tokenizer_ids(targets, problems)
    nouns = _nouns(parts["target_nouns"], parts["num_invalid_target_nouns"], problems)
    problems.stop(path)
    max_tokens = int(targets["token_length"])
    _check_size(config, max_tokens, weights, problems)
    problems.stop(path)
    tensors, dim = _weights(weights, config, len(tokenizer_ids), max_tokens, problems)
    problems.stop(path)
    return PublishedDecoder(
        config=config,
        dim=dim,
        tensors=tensors,
        nouns=nouns,
        tokenizer_ids=tokenizer_ids,
        max_tokens=max_tokens,
        embedder=str(settings["embedder_spec"]),
        settings={str(key): _plain(value) for key, value in settings.items()},
        not_read=tuple(sorted(key for key in settings if key not in _KNOWN and not _SHAPING.match(key))),
    )


def _check_settings(settings: Mapping[str, Any], problems: Problems) -> None:
    for key in sorted(_READ - set(settings)):
        problems.add(f"cfg_flat.{key}", "missing")
    for key in sorted(set(_ONLY) - set(settings)):
        problems.add(f"cfg_flat.{key}", f"missing, where {_ONLY[key]!r} is usual", ignorable=True)
    for key in sorted(map(str, settings)):
        if key not in _KNOWN and _SHAPING.match(key):
            problems.add(f"cfg_flat.{key}", f"unknown, found {short(settings.get(key))}", ignorable=True)
    problems.values("cfg_flat.", settings, _ONLY)


def _decoder_config(settings: Mapping[str, Any], problems: Problems) -> DecoderConfig:
    values = {ours: settings[theirs] for ours, theirs in _SHAPE.items()}
    try:
        values["feedforward"] = float(Fraction(settings["feedfwd_scale"]))
        return DecoderConfig.model_validate(values, strict=True)
    except pydantic.ValidationError as error:
        for mistake in error.errors():
            problems.add("cfg_flat", f"{'.'.join(map(str, mistake['loc']))} {mistake['msg']}")
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        problems.add("cfg_flat.feedfwd_scale", f"found {short(settings['feedfwd_scale'])}, no fraction")
    return DecoderConfig()


def _tokenizer_ids(targets: Mapping[str, Any], problems: Problems) -> np.ndarray:
    """Compact id -> tokenizer id, -1 for END, after checking the two maps against each other."""
    there, back, size, longest = (
        targets[name] for name in ("compact_map", "compact_unmap", "vocab_size", "token_length")
    )
    for name in ("compact_map", "compact_unmap"):
        value = targets[name]
        if not isinstance(value, torch.Tensor) or value.dim() != 1 or value.is_floating_point() or value.is_complex():
            problems.add(f"target_config.{name}", "no list of whole numbers")
            return np.full(1, -1)
    ids = back.numpy().astype(np.int64)
    content, numbers = ids[1:], there.numpy().astype(np.int64)
    if type(size) is not int or type(longest) is not int or size < 2 or longest < 2:
        problems.add("target_config", f"vocab_size {short(size)} and token_length {short(longest)} make no vocabulary")
    elif len(ids) != size:
        problems.add("target_config.compact_unmap", f"{len(ids):,} ids, where vocab_size is {size:,}")
    elif np.any(np.diff(content) <= 0) or content[0] < 0 or content[-1] >= len(numbers):
        problems.add("target_config.compact_unmap", "not ascending tokenizer ids")
    elif not np.array_equal(np.flatnonzero(numbers > 0), content) or not np.array_equal(
        numbers[content], np.arange(1, size)
    ):
        problems.add("target_config.compact_map", "not the inverse of compact_unmap")
    return np.concatenate([[-1], content])


def _nouns(nouns: Any, invalid: Any, problems: Problems) -> tuple[str, ...]:
    if not isinstance(nouns, (tuple, list)) or not all(isinstance(noun, str) for noun in nouns):
        problems.add("target_nouns", "no list of words")
    elif type(invalid) is not int or not 0 <= invalid < len(nouns):
        problems.add("num_invalid_target_nouns", f"found {short(invalid)}, for {len(nouns):,} nouns")
    elif not all(nouns[invalid:]):
        problems.add("target_nouns", "an empty noun behind the invalid ones")
    else:
        return tuple(nouns[invalid:])
    return ()


def _weights(
    found: Mapping[str, Any], config: DecoderConfig, vocabulary: int, max_tokens: int, problems: Problems
) -> tuple[dict[str, torch.Tensor], int]:
    """(weights by the names of ObjectDecoder, embedding dimension), after checking names, shapes and values."""
    first = found.get(_WEIGHT_NAMES["prefix.weight"])
    dim = int(first.shape[-1]) if isinstance(first, torch.Tensor) and first.dim() == 2 else 1
    with torch.device("meta"):
        expected = ObjectDecoder(dim, vocabulary, max_tokens, config).state_dict()
    theirs = {ours: _their_name(ours) for ours in expected}
    problems.keys("model_state_dict.", found, {*theirs.values(), _MASK}, set())
    tensors = {}
    for ours, name in theirs.items():
        if name in found and _fits(f"model_state_dict.{name}", found[name], tuple(expected[ours].shape), problems):
            tensors[ours] = found[name].float()
    if "positions" in tensors and _MASK in found and not _is_causality_mask(found[_MASK], config, max_tokens):
        problems.add(f"model_state_dict.{_MASK}", "another attention than cfg_flat.strictly_causal says")
    return tensors, dim


def _check_size(config: DecoderConfig, max_tokens: int, weights: Mapping[str, Any], problems: Problems) -> None:
    """What the settings claim, held against what is there, before anything is made of that size."""
    held = sum(value.numel() for value in weights.values() if isinstance(value, torch.Tensor))
    claims = {
        "num_layers": (config.layers, len(weights)),
        "hidden_dim": (config.width, held),
        "feedfwd_scale": (config.width * config.feedforward, held),
        "mlp_seq_len": (config.prefix_tokens, held),
        "token_length": (max_tokens, held),
    }
    for name, (claimed, most) in claims.items():
        if claimed > most:
            problems.add(f"cfg_flat.{name}", f"claims more ({claimed:,.0f}) than the weights hold ({most:,})")


def _fits(name: str, value: Any, shape: tuple[int, ...], problems: Problems) -> bool:
    if not isinstance(value, torch.Tensor) or not value.is_floating_point() or value.layout is not torch.strided:
        problems.add(name, "no dense tensor of floats")
    elif tuple(value.shape) != shape:
        problems.add(name, f"shape {tuple(value.shape)}, expected {shape}")
    elif not torch.isfinite(value).all():
        problems.add(name, "holds values that are not finite")
    else:
        return True
    return False


def _their_name(ours: str) -> str:
    if ours in _WEIGHT_NAMES:
        return _WEIGHT_NAMES[ours]
    _layers, number, name = ours.split(".", 2)
    return f"transformer.layers.{number}.{_LAYER_NAMES[name]}"


def _is_causality_mask(found: Any, config: DecoderConfig, max_tokens: int) -> bool:
    """Whether it is what should be added to attention scores: 0 where a position may look, else -inf."""
    prefix = config.prefix_tokens
    size = prefix + max_tokens - 1
    mask = torch.full((size, size), -math.inf).triu(1)
    if not config.strictly_causal:
        mask[:prefix, :prefix] = 0
    return isinstance(found, torch.Tensor) and torch.equal(found.float(), mask)


def _plain(value: Any) -> Any:
    """A config value as JSON can hold it."""
    if isinstance(value, (bool, int, str)) or value is None or (isinstance(value, float) and math.isfinite(value)):
        return value
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return str(value)
