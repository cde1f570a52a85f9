"""open_clip's text towers as a `TextTower`, where they are of the common kind."""

import functools
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nounflow.embedders.text_tower import Affine, TextTower, TowerLayer, affine, quick_gelu


def written_out(model: Any) -> TextTower | None:
    """The text tower of an open_clip model, or None where it is of another kind (Hugging Face, CoCa, custom blocks)."""
    from open_clip.transformer import QuickGELU, ResidualAttentionBlock, TextTransformer

    text = getattr(model, "text", model)  # CustomTextCLIP keeps its tower in `text`, CLIP is its own
    if text is not model and type(text) is not TextTransformer:
        return None
    blocks = list(text.transformer.resblocks)
    plain = all(type(block) is ResidualAttentionBlock and isinstance(block.ls_1, nn.Identity) for block in blocks)
    pooling = getattr(text, "pool_type", None) or getattr(text, "text_pool_type", None)
    if not plain or getattr(text, "cls_emb", None) is not None or pooling not in ("argmax", "eos", "first", "last"):
        return None
    act = blocks[0].mlp.gelu
    if isinstance(act, QuickGELU):
        activation: Any = quick_gelu
    elif isinstance(act, nn.GELU):
        activation = functools.partial(F.gelu, approximate=act.approximate)
    else:
        return None
    return TextTower(
        tokens=text.token_embedding.weight,
        positions=text.positional_embedding,
        layers=[_layer(block) for block in blocks],
        final_norm=affine(text.ln_final),
        projection=_projection(text.text_projection),
        heads=blocks[0].attn.num_heads,
        epsilon=text.ln_final.eps,
        activation=activation,
        causal=text.attn_mask is not None,
        pooling=pooling,
        eos=int(getattr(text, "eos_id", getattr(text, "text_eos_id", -1))),
    )


def _layer(block: Any) -> TowerLayer:
    attention = block.attn
    width = attention.embed_dim
    weight, bias = attention.in_proj_weight, attention.in_proj_bias
    return TowerLayer(
        norm1=affine(block.ln_1),
        query=(weight[:width], bias[:width]),
        key_value=(weight[width:], bias[width:]),
        out=affine(attention.out_proj),
        norm2=affine(block.ln_2),
        up=affine(block.mlp.c_fc),
        down=affine(block.mlp.c_proj),
    )


def _projection(projection: nn.Linear | Tensor | None) -> Affine | None:
    if projection is None:
        return None
    if isinstance(projection, nn.Linear):
        return affine(projection)
    return torch.t(projection), None
