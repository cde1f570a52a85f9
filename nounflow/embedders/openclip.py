"""Any open_clip model as an embedder: a built-in name with a tag, a hub id, a local folder or checkpoint."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from nounflow.embedders.clip_model import clip_embedder
from nounflow.embedders.hub import loaded
from nounflow.embedders.library_tokenizer import LibraryTokenizer
from nounflow.embedders.openclip_names import (
    fetch_command,
    hub_files,
    hub_tokenizer_files,
    parse_name,
    text_model_beside,
)
from nounflow.embedders.openclip_tokenizer import tokenizer_of
from nounflow.embedders.openclip_tower import written_out
from nounflow.embedders.options import ComputeOptions
from nounflow.embedders.protocol import Patches
from nounflow.embedders.text_path import TextSide
from nounflow.embedders.two_towers import TwoTowers

_FILLS = {torch.Tensor.normal_, torch.Tensor.uniform_}


class SkipInitialisation(TorchFunctionMode):
    """Do not draw the random numbers that a checkpoint overwrites: seconds for a large model."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in _FILLS or getattr(func, "__module__", "") == "torch.nn.init":
            return kwargs["tensor"] if kwargs and "tensor" in kwargs else args[0]
        return func(*args, **(kwargs or {}))


def load_tokenizer(name: str) -> LibraryTokenizer:
    """The tokenizer of an open_clip model.

    Raises:
        NounflowError: the name is unknown, or its files are not here.
    """
    import open_clip

    model, weights = parse_name(name)
    own = loaded(
        f"openclip:{name}",
        hub_tokenizer_files(model),
        lambda: open_clip.get_tokenizer(model),
        fetch_command(model, weights),
    )
    return tokenizer_of(own)


def load(name: str, options: ComputeOptions, _images: bool = True) -> TwoTowers:
    """An open_clip model, both towers, which share its space.

    Raises:
        NounflowError: the name is unknown, or its weights are not here.
    """
    from open_clip.transform import PreprocessCfg, image_transform_v2

    tokenizer = load_tokenizer(name)
    model = _load_model(name, options.device)
    settings = model.visual.preprocess_cfg
    transform = image_transform_v2(PreprocessCfg(**settings), is_train=False)  # that of validation
    return clip_embedder(
        f"openclip:{name}",
        model,
        options,
        text_side=TextSide(
            tokenizer=tokenizer,
            plain=model.encode_text,
            written_out=lambda: written_out(model),
            masks_padding=hasattr(getattr(model, "text", None), "pooler"),  # a Hugging Face tower
        ),
        preprocess=lambda image: np.asarray(transform(image)),  # float32 [3, side, side]
        image_settings=json.dumps(settings, sort_keys=True),
        image_features=model.encode_image,
        library="open_clip_torch",
        patches=_patches_of(model, settings["resize_mode"]),
    )


def _load_model(name: str, device: str) -> Any:
    import open_clip

    model_name, weights = parse_name(name)

    def create() -> Any:
        with SkipInitialisation():
            return open_clip.create_model(
                model_name,
                pretrained=weights,
                device=device,
                weights_only=True,
                require_pretrained=True,  # else open_clip goes on with random weights where it finds none
                **text_model_beside(model_name),
            )

    wanted, fetch = hub_files(model_name, weights), fetch_command(model_name, weights)
    return loaded(f"openclip:{name}", wanted, create, fetch).eval()


def _patches_of(model: Any, resize_mode: str) -> tuple[Patches, Callable[[Tensor], Tensor]] | None:
    """Patch tokens of a ViT that pools its class token, whose final norm and projection make features of them, too.

    None for other towers, whose patches do not lie in the space of the texts: with an attention pool (SigLIP) no
    projection of single tokens exists.
    """
    from open_clip.transformer import VisionTransformer

    tower = model.visual
    plain = type(tower) is VisionTransformer and tower.attn_pool is None and tower.pool_type == "tok"
    if not plain or tower.proj is None or tower.final_ln_after_pool or resize_mode not in ("shortest", "squash"):
        return None

    def features(batch: Tensor) -> Tensor:
        """Pixels [batch, 3, height, width] -> [batch, patches, dim], row by row."""
        found = tower.forward_intermediates(
            batch, indices=1, normalize_intermediates=True, intermediates_only=True, output_fmt="NLC"
        )
        projected: Tensor = found["image_intermediates"][0] @ tower.proj
        return projected

    def seen(width: int, height: int) -> tuple[float, float, float, float]:
        """`shortest` scales the shorter side and cuts the centre out."""
        if resize_mode == "squash":
            return 0.0, 0.0, float(width), float(height)
        scale = max(tower.image_size[0] / height, tower.image_size[1] / width)
        high, wide = tower.image_size[0] / scale, tower.image_size[1] / scale
        x0, y0 = (width - wide) / 2, (height - high) / 2
        return x0, y0, x0 + wide, y0 + high

    rows, columns = tower.grid_size
    return Patches((int(rows), int(columns)), seen), features
