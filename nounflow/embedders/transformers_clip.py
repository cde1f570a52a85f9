"""CLIP and SigLIP models of Hugging Face `transformers` as embedders: a hub id, or a local folder with safetensors."""

from __future__ import annotations

import json
import string
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from nounflow.embedders.identity import make_identity, state_digest
from nounflow.embedders.loading import loaded
from nounflow.embedders.options import ComputeOptions
from nounflow.embedders.text_path import TextSide
from nounflow.embedders.text_tower import Affine, TextTower, TowerLayer
from nounflow.embedders.tokenizer import NASTY, TowerTokenizer, backend_tokens
from nounflow.embedders.two_towers import Parts, TwoTowers
from nounflow.errors import NounflowError
from nounflow.files import sha256_text

KINDS = ("clip", "siglip", "siglip2")
_PIXEL_SETTINGS = (
    "do_convert_rgb", "do_resize", "size", "resample", "do_center_crop", "crop_size", "do_rescale", "rescale_factor",
    "do_normalize", "image_mean", "image_std", "patch_size", "max_num_patches",
)  # fmt: skip
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


class TransformersTokenizer:
    """A model's own tokenizer; spells the decoder's targets too."""

    def __init__(self, own: Any, kind: str, context: int) -> None:
        self._own, self._context = own, context
        self._cleaning, self._clean = _cleaning(kind, own)
        backend = getattr(own, "backend_tokenizer", None)
        candidates = [] if backend is None else [self._fast(backend_tokens(backend, context))]
        self.tower = TowerTokenizer(self._padded, candidates, context, int(own.pad_token_id or 0))
        table = sorted(own.get_vocab().items(), key=lambda item: item[1])
        self.target_digest = sha256_text(repr(self._padded(NASTY).tolist()), *(f"{token}\t{i}" for token, i in table))

    def target_tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """See `TargetTokenizer.target_tokens`."""
        cleaned = [self._clean(text) for text in texts]
        return [list(ids) for ids in self._own(cleaned, add_special_tokens=False).input_ids] if cleaned else []

    def target_decode(self, ids: Sequence[int]) -> str:
        """See `TargetTokenizer.target_decode`."""
        return " ".join(self._own.decode(list(ids), skip_special_tokens=True).split())

    def describe(self) -> str:
        """Cleaning and padding, in words that say when two tokenizers differ."""
        return f"cleaning: {self._cleaning}; cut and padded to {self._context} tokens with {self.tower.pad}"

    def _padded(self, texts: Sequence[str]) -> Tensor:
        found: Tensor = self._own(
            [self._clean(text) for text in texts],
            padding="max_length",
            truncation=True,
            max_length=self._context,
            return_tensors="pt",
        ).input_ids
        return found

    def _fast(self, tokens: Callable[[Sequence[str]], list[list[int]]]) -> Callable[[Sequence[str]], list[list[int]]]:
        return lambda texts: tokens([self._clean(text) for text in texts])


def load_tokenizer(name: str) -> TransformersTokenizer:
    """The tokenizer of a model.

    Raises:
        NounflowError: the model is of another kind, or its files are not here.
    """
    config = _load_config(name)
    own = _loaded(name, lambda: _own_tokenizer(name))
    return TransformersTokenizer(own, config.model_type, int(config.text_config.max_position_embeddings))


def load(name: str, options: ComputeOptions, _images: bool = True) -> TwoTowers:
    """A CLIP or SigLIP model, both towers, which share its space.

    Raises:
        NounflowError: the model is of another kind, or its weights are not here.
    """
    from transformers import AutoImageProcessor, AutoModel

    tokenizer = load_tokenizer(name)
    where = _where(name)
    model = _loaded(
        name,
        lambda: AutoModel.from_pretrained(_source(name), dtype=torch.float32, use_safetensors=True, **where),
    )
    model = model.eval().to(options.device)
    # Pillow's resampling, as the models were trained with; torchvision's gives other pixels.
    processor = _loaded(name, lambda: AutoImageProcessor.from_pretrained(_source(name), backend="pil", **where))
    side = TextSide(
        tokenizer=tokenizer.tower, plain=lambda ids: _text_features(model, ids), written_out=written_out(model)
    )
    with torch.inference_mode():
        dim = int(side.plain(tokenizer.tower.padded(["a"]).to(options.device)).shape[1])
    identity = make_identity(
        spec=f"transformers:{name}",
        dim=dim,
        weights=state_digest(model.state_dict()),
        tokenizer=tokenizer.target_digest,
        preprocessing=f"texts: {tokenizer.describe()}; images: {json.dumps(_settings(processor), sort_keys=True)}",
        precision=options.precision,
        libraries=("transformers", "torch", "tokenizers"),
    )
    flexible = model.config.model_type == "siglip2"
    return TwoTowers(
        Parts(
            identity=identity,
            targets=tokenizer,
            texts=lambda: side,
            preprocess=lambda image: (_packed_patches if flexible else _pixels)(processor, image),
            encode_images=lambda batch: (_patch_features if flexible else _pixel_features)(model, batch),
        ),
        options,
    )


def written_out(model: Any) -> TextTower:
    """The text tower of a CLIP or SigLIP model."""
    text = model.text_model
    config = text.config
    clip = model.config.model_type == "clip"
    pooling = ("argmax" if config.eos_token_id == 2 else "eos") if clip else "last"  # 2: configs from before it was set
    return TextTower(
        tokens=text.embeddings.token_embedding.weight,
        positions=text.embeddings.position_embedding.weight,
        layers=[_layer(layer) for layer in text.encoder.layers],
        final_norm=_affine(text.final_layer_norm),
        projection=_affine(model.text_projection if clip else text.head),
        heads=config.num_attention_heads,
        epsilon=config.layer_norm_eps,
        activation=text.encoder.layers[0].mlp.activation_fn,
        causal=clip,
        pooling=pooling,  # type: ignore[arg-type]
        eos=int(config.eos_token_id),
    )


def _layer(layer: Any) -> TowerLayer:
    attention = layer.self_attn
    key, value = attention.k_proj, attention.v_proj
    return TowerLayer(
        norm1=_affine(layer.layer_norm1),
        query=_affine(attention.q_proj),
        key_value=(torch.cat([key.weight, value.weight]), torch.cat([key.bias, value.bias])),
        out=_affine(attention.out_proj),
        norm2=_affine(layer.layer_norm2),
        up=_affine(layer.mlp.fc1),
        down=_affine(layer.mlp.fc2),
    )


def _affine(module: Any) -> Affine:
    return module.weight, module.bias


def _cleaning(kind: str, tokenizer: Any) -> tuple[str, Callable[[str], str]]:
    """What is done to a text before its tokens are made: (name, function).

    SigLIP was trained on lower case without punctuation, SigLIP 2 (Gemma's tokenizer) on lower case; not every
    tokenizer file does so itself, and doing it twice changes nothing.
    """
    if kind == "clip":
        return "the tokenizer's own", lambda text: text
    if any(word in type(tokenizer).__name__.lower() for word in ("gemma", "siglip2")):
        return "lower case", str.lower
    return "canonicalize", lambda text: " ".join(text.translate(_NO_PUNCTUATION).lower().split())


def _text_features(model: Any, ids: Tensor) -> Tensor:
    """Without a mask: causal towers need none, and SigLIP was trained to see its padding."""
    found: Tensor = model.get_text_features(input_ids=ids).pooler_output
    return found


def _pixels(processor: Any, image: Image.Image) -> np.ndarray:
    """float32 [3, side, side]."""
    found: np.ndarray = processor(images=image, return_tensors="np")["pixel_values"][0]
    return found


def _pixel_features(model: Any, batch: Tensor) -> Tensor:
    found: Tensor = model.get_image_features(pixel_values=batch).pooler_output
    return found


def _packed_patches(processor: Any, image: Image.Image) -> np.ndarray:
    """float32 [1 + most patches, patch pixels] of a model that takes any shape; row 0 opens with height and width."""
    found = processor(images=image, return_tensors="np")
    patches = found["pixel_values"][0]
    head = np.zeros((1, patches.shape[1]), dtype=np.float32)
    head[0, :2] = found["spatial_shapes"][0]
    return np.concatenate([head, patches.astype(np.float32)])


def _patch_features(model: Any, batch: Tensor) -> Tensor:
    shapes, patches = batch[:, 0, :2].long(), batch[:, 1:]
    mask = torch.arange(patches.shape[1], device=batch.device)[None] < shapes.prod(1, keepdim=True)
    answer = model.get_image_features(pixel_values=patches, pixel_attention_mask=mask.int(), spatial_shapes=shapes)
    found: Tensor = answer.pooler_output
    return found


def _settings(processor: Any) -> dict[str, Any]:
    """What the image processor does to pixels; a later version of the library may write more into its file."""
    written = json.loads(processor.to_json_string())
    return {key: written[key] for key in _PIXEL_SETTINGS if key in written}


def _own_tokenizer(name: str) -> Any:
    """The model's tokenizer; where its class wants sentencepiece, which is not here, its `tokenizer.json` alone."""
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    try:
        return AutoTokenizer.from_pretrained(_source(name), **_where(name))
    except ImportError as error:
        try:
            return PreTrainedTokenizerFast.from_pretrained(_source(name), **_where(name))
        except Exception:  # no tokenizer.json either
            raise error from None


def _load_config(name: str) -> Any:
    from transformers import AutoConfig

    config = _loaded(name, lambda: AutoConfig.from_pretrained(_source(name), **_where(name)))
    if config.model_type not in KINDS:
        raise NounflowError(
            f"A model of kind '{config.model_type}' puts no texts and images into one space that is known here",
            where=f"transformers:{name}",
            fix=f"use a model of kind {', '.join(KINDS)}, or one of open_clip (openclip:ORG/NAME)",
        )
    return config


def _source(name: str) -> str:
    path = Path(name).expanduser()
    if path.is_dir():
        return str(path)
    if name.startswith((".", "/", "~")):
        raise NounflowError(
            "There is no such folder",
            where=name,
            fix="write transformers:FOLDER with config.json, safetensors and a tokenizer, or transformers:ORG/NAME",
        )
    return name


def _where(name: str) -> dict[str, Any]:
    """A local folder never asks a network, and no code of a model is ever run."""
    return {"local_files_only": Path(name).expanduser().is_dir(), "trust_remote_code": False}


def _loaded(name: str, load: Callable[[], Any]) -> Any:
    repository = "ORG/NAME" if Path(name).expanduser().is_dir() else name
    return loaded(f"transformers:{name}", load, f"hf download {repository} --local-dir FOLDER")
