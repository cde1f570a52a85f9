"""Models of every kind, small and of random weights, and what their own libraries make of texts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models as tiny
import torch

from nounflow.config.embedder import EmbedderConfig
from nounflow.embedders.golden import GOLDEN_TEXTS
from nounflow.embedders.load import load_embedder
from nounflow.embedders.two_towers import TwoTowers

TEXTS = [
    "owl",
    "A photo of two dogs, playing in the SNOW!",
    "",
    *(f"a photo of thing number {i} in a row" for i in range(40)),
    "a crowded table with " + ", ".join(f"a box of {i} apples" for i in range(6)),  # more than 32 tokens
    "a long story of " + "many things and " * 60,  # more than any context
    "ünïcode — 日本語 &amp; x",
    *GOLDEN_TEXTS,
]


def load(spec: str, precision: str = "fp32", **settings: Any) -> TwoTowers:
    embedder = load_embedder(EmbedderConfig(spec=spec, precision=precision, **settings), "cpu")
    assert isinstance(embedder, TwoTowers)
    return embedder


def siglip_folder(folder: Path) -> Path:
    tiny.word_tokenizer(folder, 16)
    words = {"context_length": 16, "vocab_size": 200, "hf_tokenizer_name": "x"}
    text = {**tiny.SIGLIP, **words, "tokenizer_kwargs": {"clean": "canonicalize"}}
    return tiny.open_clip_folder(folder, text, custom_text=True)


def bert_folder(folder: Path) -> Path:
    """A Hugging Face text tower; its config lies in the subfolder that `hf_model_name` names."""
    from transformers import AutoTokenizer, BertConfig

    from nounflow.embedders.minilm_tokenizer import model_folder

    config = BertConfig(
        vocab_size=30522, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64
    )
    config.save_pretrained(folder / "text")
    config.save_pretrained(folder)
    AutoTokenizer.from_pretrained(model_folder()).save_pretrained(folder)
    return tiny.open_clip_folder(
        folder,
        {"hf_model_name": "text", "hf_tokenizer_name": "x", "hf_pooler_type": "mean_pooler", "hf_proj_type": "linear"},
    )


def clipa_folder(folder: Path) -> Path:
    """CLIPA: no causal mask, the last place is pooled, separators become padding."""
    from transformers import AutoTokenizer

    from nounflow.embedders.minilm_tokenizer import model_folder

    AutoTokenizer.from_pretrained(model_folder()).save_pretrained(folder)
    text = {"context_length": 32, "vocab_size": 30522, "no_causal_mask": True, "pool_type": "last"}
    return tiny.open_clip_folder(
        folder, {**text, "hf_tokenizer_name": "x", "tokenizer_kwargs": {"strip_sep_token": True}}, custom_text=True
    )


def coca_folder(folder: Path) -> Path:
    multimodal = {
        "context_length": 76, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1, "attn_pooler_heads": 2
    }  # fmt: skip
    text = {"context_length": 76, "embed_cls": True, "output_tokens": True}
    return tiny.open_clip_folder(folder, text, multimodal_cfg=multimodal, custom_text=True)


def plain(**text: Any) -> Callable[[Path], Path]:
    return lambda folder: tiny.open_clip_folder(folder, text)


def custom(**text: Any) -> Callable[[Path], Path]:
    return lambda folder: tiny.open_clip_folder(folder, text, custom_text=True)


OURS, THEIRS, FULL = "written out", "the library's own tower", "the library's own tower at full length"
# name: (library, maker of a folder, the way that is taken, whether rows are cut)
KINDS = {
    "CLIP": ("openclip", plain(), OURS, True),
    "CLIP with quick GELU": ("openclip", lambda f: tiny.open_clip_folder(f, quick_gelu=True), OURS, True),
    "custom text": ("openclip", custom(), OURS, True),
    "custom text, pooled at its end token": ("openclip", custom(pool_type="eos", eos_id=49407), OURS, True),
    "custom text, pooled at the first": ("openclip", custom(pool_type="first"), OURS, True),
    "custom text, pooled at the last": ("openclip", custom(pool_type="last"), OURS, False),
    "custom text without causal mask": ("openclip", custom(no_causal_mask=True), OURS, False),
    "custom text with scaled layers": ("openclip", custom(ls_init_value=0.1), FULL, False),
    "custom text with normed attention": ("openclip", custom(qk_norm=True), FULL, False),
    "CoCa": ("openclip", coca_folder, FULL, False),
    "CLIPA": ("openclip", clipa_folder, OURS, False),
    "SigLIP": ("openclip", siglip_folder, OURS, False),
    "Hugging Face text tower": ("openclip", bert_folder, THEIRS, True),
    "transformers CLIP": ("transformers", lambda f: tiny.transformers_folder(f, "clip"), OURS, True),
    "transformers CLIP of an old config": (
        "transformers", lambda f: tiny.transformers_folder(f, "clip", eos_token_id=2), OURS, True
    ),
    "transformers SigLIP": ("transformers", lambda f: tiny.transformers_folder(f, "siglip"), OURS, False),
    "transformers SigLIP 2": ("transformers", lambda f: tiny.transformers_folder(f, "siglip2"), OURS, False),
}  # fmt: skip


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Folders of models by kind, each made when first asked for."""
    made: dict[str, Path] = {}

    def folder(kind: str) -> Path:
        if kind not in made:
            made[kind] = KINDS[kind][1](tmp_path_factory.mktemp("model"))
        return made[kind]

    return folder


def spec_of(kind: str, folders: Callable[[str], Path]) -> str:
    return f"{KINDS[kind][0]}:{folders(kind)}"


@torch.inference_mode()
def own_vectors(kind: str, folder: Path, texts: list[str]) -> np.ndarray:
    """What the library itself gives for texts padded to the full context, in fp32."""
    if KINDS[kind][0] == "openclip":
        import open_clip

        from nounflow.embedders.openclip_names import text_model_beside

        model = open_clip.create_model(f"local-dir:{folder}", **text_model_beside(f"local-dir:{folder}")).eval()
        tokens = open_clip.get_tokenizer(f"local-dir:{folder}")(texts)
        vectors: np.ndarray = model.encode_text(tokens, normalize=True).numpy()
        return vectors
    from transformers import AutoModel, AutoTokenizer

    model = AutoModel.from_pretrained(folder).eval()
    if "SigLIP" in kind:  # their training's own cleaning, which these small tokenizers lack
        texts = [text.lower() for text in texts]
    if kind == "transformers SigLIP":
        texts = [" ".join("".join(c for c in text if not (c.isascii() and c in PUNCTUATION)).split()) for text in texts]
    length = model.config.text_config.max_position_embeddings
    tokens = AutoTokenizer.from_pretrained(folder)(
        texts, padding="max_length", truncation=True, max_length=length, return_tensors="pt"
    )
    features = model.get_text_features(input_ids=tokens.input_ids).pooler_output
    vectors = torch.nn.functional.normalize(features, dim=-1).numpy()
    return vectors


def cuts_rows(encoder: Any) -> bool:
    return bool(len(encoder.tokenise(["owl"])[0]) < encoder.context)


PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
