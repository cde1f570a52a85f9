"""A CLIP-like model of another library as an embedder: two towers that share one space."""

from collections.abc import Callable

import numpy as np
from PIL import Image
from torch import Tensor, nn

from nounflow.embedders.identity import make_identity, state_digest
from nounflow.embedders.options import ComputeOptions
from nounflow.embedders.protocol import Patches
from nounflow.embedders.text_path import TextSide, fastest_encoder
from nounflow.embedders.two_towers import TwoTowers


def clip_embedder(
    spec: str,
    model: nn.Module,
    options: ComputeOptions,
    *,
    text_side: TextSide,
    preprocess: Callable[[Image.Image], np.ndarray],
    image_settings: str,
    image_features: Callable[[Tensor], Tensor],
    library: str,
    patches: tuple[Patches, Callable[[Tensor], Tensor]] | None = None,
) -> TwoTowers:
    """The embedder of a model that is loaded in fp32 on the device.

    Args:
        preprocess: an RGB image -> what the image tower takes.
        image_settings: what `preprocess` does, in words.
        image_features: [batch, ...] as preprocessed -> features [batch, dim] of any length.
        library: the package that the model comes from.
        patches: how patch tokens stand in an image, and [batch, ...] as preprocessed -> their features.
    """
    tokenizer = text_side.tokenizer
    identity = make_identity(
        spec=spec,
        dim=text_side.features(["a"], options.device).shape[1],
        weights=state_digest(model.state_dict()),
        tokenizer=tokenizer.target_digest,
        preprocessing=f"texts: {tokenizer.description}; images: {image_settings}",
        precision=options.precision,
        libraries=(library, "torch", "tokenizers"),
        logit_scale=_logit_scale(model),
    )
    return TwoTowers(
        identity=identity,
        device=options.device,
        tokenizer=tokenizer,
        load_texts=lambda: fastest_encoder(text_side, options),
        preprocess=preprocess,
        image_features=options.autocast(image_features),
        patches=patches[0] if patches else None,
        patch_features=options.autocast(patches[1]) if patches else None,
    )


def _logit_scale(model: nn.Module) -> float | None:
    """What the model multiplies cosines with before a softmax or a sigmoid; None where it has no such weight."""
    scale = getattr(model, "logit_scale", None)
    return float(scale.detach().exp().mean()) if isinstance(scale, Tensor) else None
