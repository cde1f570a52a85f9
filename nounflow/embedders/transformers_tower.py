"""The text towers of CLIP and SigLIP models of `transformers` as a `TextTower`."""

from typing import Any

import torch

from nounflow.embedders.text_tower import TextTower, TowerLayer, affine


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
