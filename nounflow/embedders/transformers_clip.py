"""CLIP and SigLIP models of Hugging Face `transformers` as embedders: a hub id, or a local folder with safetensors."""

import json
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from nounflow.embedders.clip_model import clip_embedder
from nounflow.embedders.options import ComputeOptions
from nounflow.embedders.text_path import TextSide
from nounflow.embedders.text_tower import TextTower, TowerLayer, affine
from nounflow.embedders.transformers_files import load_or_advise, source, where
from nounflow.embedders.transformers_tokenizer import load_tokenizer
from nounflow.embedders.two_towers import TwoTowers
from nounflow.errors import NounflowError

_PIXEL_SETTINGS = (
    "do_convert_rgb", "do_resize", "size", "resample", "do_center_crop", "crop_size", "do_rescale", "rescale_factor",
    "do_normalize", "image_mean", "image_std", "patch_size", "max_num_patches",
)  # fmt: skip


def load(name: str, options: ComputeOptions, _images: bool = True) -> TwoTowers:
    """A CLIP or SigLIP model, both towers, which share its space.

    Raises:
        NounflowError: the model is of another kind, or its weights are not here.
    """
    from transformers import AutoImageProcessor, AutoModel

    tokenizer = load_tokenizer(name)
    files = where(name)
    settings = {"dtype": torch.float32, "use_safetensors": True, "output_loading_info": True, **files}
    model, found = load_or_advise(
        name,
        lambda: AutoModel.from_pretrained(source(name), **settings),
        ("model.safetensors", "model.safetensors.index.json"),
    )
    if missing := sorted(found["missing_keys"]):
        raise NounflowError(
            f"The weights lack {len(missing)} tensors of the model, such as {missing[0]}; the library would go on with "
            "random ones",
            where=f"transformers:{name}",
            fix="take a model with both towers, and all files of its weights",
        )
    model = model.eval().to(options.device)
    # Pillow's resampling, as the models were trained with; torchvision's gives other pixels.
    processor = load_or_advise(name, lambda: AutoImageProcessor.from_pretrained(source(name), backend="pil", **files))
    flexible = model.config.model_type == "siglip2"
    return clip_embedder(
        f"transformers:{name}",
        model,
        options,
        text_side=TextSide(
            tokenizer=tokenizer,
            # no mask: causal towers need none, and SigLIP was trained to see its padding
            plain=lambda ids: model.get_text_features(input_ids=ids).pooler_output,
            written_out=lambda: _written_out(model),
        ),
        preprocess=lambda image: (
            _packed_patches(processor, image)
            if flexible
            else processor(images=image, return_tensors="np")["pixel_values"][0]  # float32 [3, side, side]
        ),
        image_settings=json.dumps(_settings(processor), sort_keys=True),
        image_features=lambda batch: (
            _patch_features(model, batch) if flexible else model.get_image_features(pixel_values=batch).pooler_output
        ),
        library="transformers",
    )


def _packed_patches(processor: Any, image: Image.Image) -> np.ndarray:
    """float32 [1 + most patches, patch pixels] of a model that takes any shape; row 0 opens with height and width."""
    found = processor(images=image, return_tensors="np")
    patches = found["pixel_values"][0]
    head = np.zeros((1, patches.shape[1]), dtype=np.float32)
    head[0, :2] = found["spatial_shapes"][0]
    return np.concatenate([head, patches.astype(np.float32)])


def _patch_features(model: Any, batch: Tensor) -> Tensor:
    """What `_packed_patches` gives, [batch, 1 + most patches, patch pixels] -> features [batch, dim]."""
    shapes, patches = batch[:, 0, :2].long(), batch[:, 1:]
    mask = torch.arange(patches.shape[1], device=batch.device)[None] < shapes.prod(1, keepdim=True)
    answer = model.get_image_features(pixel_values=patches, pixel_attention_mask=mask.int(), spatial_shapes=shapes)
    found: Tensor = answer.pooler_output
    return found


def _settings(processor: Any) -> dict[str, Any]:
    """What the image processor does to pixels; a later version of the library may write more into its file."""
    written = json.loads(processor.to_json_string())
    return {key: written[key] for key in _PIXEL_SETTINGS if key in written}


def _written_out(model: Any) -> TextTower:
    """The text tower of a CLIP or SigLIP model."""
    text = model.text_model
    config = text.config
    clip = model.config.model_type == "clip"
    pooling = ("argmax" if config.eos_token_id == 2 else "eos") if clip else "last"  # 2: configs from before it was set
    return TextTower(
        tokens=text.embeddings.token_embedding.weight,
        positions=text.embeddings.position_embedding.weight,
        layers=[_layer(layer) for layer in text.encoder.layers],
        final_norm=affine(text.final_layer_norm),
        projection=affine(model.text_projection if clip else text.head),
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
        norm1=affine(layer.layer_norm1),
        query=affine(attention.q_proj),
        key_value=(torch.cat([key.weight, value.weight]), torch.cat([key.bias, value.bias])),
        out=affine(attention.out_proj),
        norm2=affine(layer.layer_norm2),
        up=affine(layer.mlp.fc1),
        down=affine(layer.mlp.fc2),
    )
