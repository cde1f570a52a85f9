"""Any open_clip model as an embedder: a built-in name with a tag, a hub id, a local folder or checkpoint."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import torch
from PIL import Image

from nounflow.embedders.identity import make_identity, state_digest
from nounflow.embedders.loading import SkipInitialisation, loaded
from nounflow.embedders.openclip_names import fetch_command, parse_name, text_model_beside
from nounflow.embedders.openclip_tokenizer import OpenClipTokenizer
from nounflow.embedders.openclip_tower import written_out
from nounflow.embedders.options import ComputeOptions
from nounflow.embedders.text_path import TextSide
from nounflow.embedders.two_towers import Parts, TwoTowers


def load_tokenizer(name: str) -> OpenClipTokenizer:
    """The tokenizer of an open_clip model.

    Raises:
        NounflowError: the name is unknown, or its files are not here.
    """
    import open_clip

    model, weights = parse_name(name)
    own = loaded(f"openclip:{name}", lambda: open_clip.get_tokenizer(model), fetch_command(model, weights))
    return OpenClipTokenizer(own)


def load(name: str, options: ComputeOptions, _images: bool = True) -> TwoTowers:
    """An open_clip model, both towers, which share its space.

    Raises:
        NounflowError: the name is unknown, or its weights are not here.
    """
    tokenizer = load_tokenizer(name)
    model = _load_model(name, options.device)
    transform, image_settings = _image_side(model)
    identity = make_identity(
        spec=f"openclip:{name}",
        dim=_dim(model, tokenizer),
        weights=state_digest(model.state_dict()),
        tokenizer=tokenizer.target_digest,
        preprocessing=f"texts: {tokenizer.describe()}; images: {image_settings}",
        precision=options.precision,
        libraries=("open_clip_torch", "torch", "tokenizers"),
    )
    return TwoTowers(
        Parts(
            identity=identity,
            targets=tokenizer,
            texts=lambda: _text_side(model, tokenizer),
            preprocess=lambda image: _preprocessed(transform, image),
            encode_images=lambda batch: model.encode_image(batch),
        ),
        options,
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

    return loaded(f"openclip:{name}", create, fetch_command(model_name, weights)).eval()


def _text_side(model: Any, tokenizer: OpenClipTokenizer) -> TextSide:
    return TextSide(
        tokenizer=tokenizer.tower,
        plain=model.encode_text,
        written_out=written_out(model),
        masks_padding=hasattr(getattr(model, "text", None), "pooler"),  # a Hugging Face tower
    )


def _image_side(model: Any) -> tuple[Any, str]:
    """The validation transform and its settings, in words."""
    from open_clip.transform import PreprocessCfg, image_transform_v2

    settings = model.visual.preprocess_cfg
    return image_transform_v2(PreprocessCfg(**settings), is_train=False), json.dumps(settings, sort_keys=True)


@torch.inference_mode()
def _dim(model: Any, tokenizer: OpenClipTokenizer) -> int:
    device = next(model.parameters()).device
    return int(model.encode_text(tokenizer.tower.padded(["a"]).to(device)).shape[1])


def _preprocessed(transform: Any, image: Image.Image) -> np.ndarray:
    """float32 [3, side, side]."""
    return np.asarray(transform(image))
