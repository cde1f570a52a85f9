"""Small models of random weights and real architecture, saved as a hub would serve them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

VISION = {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 8}
TEXT = {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2}
SIGLIP = {"no_causal_mask": True, "pool_type": "last", "proj_bias": True, "norm_kwargs": {"eps": 1e-6}}
CAPTIONS = (
    "a photo of a cat",
    "two dogs play in the snow",
    "There is a fire truck, an apple and an x-ray on the table.",
    "A hermit crab lives in the cast-off shells of other animals",
    "the praying mantis is eating 12 flies",
)


def stirred(model: torch.nn.Module) -> torch.nn.Module:
    """Fresh random weights, large enough that every part of a tower shows in its vectors."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, tensor in sorted(model.state_dict().items()):
            if tensor.is_floating_point() and tensor.ndim:
                noise = torch.randn(tensor.shape, generator=generator) * (0.3 if tensor.ndim == 1 else 0.15)
                tensor.copy_(noise + (1 if tensor.ndim == 1 and "weight" in name else 0))
    return model.eval()


def open_clip_folder(folder: Path, text: dict[str, Any] | None = None, **rest: Any) -> Path:
    """A folder with an open_clip model."""
    import open_clip
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    config: dict[str, Any] = {"embed_dim": 16, "vision_cfg": VISION, "text_cfg": {**TEXT, **(text or {})}, **rest}
    path = folder / "open_clip_config.json"
    path.write_text(json.dumps({"model_cfg": config, "preprocess_cfg": {"mean": [0.5] * 3, "std": [0.5] * 3}}))
    here: dict[str, Any] = {}
    if "hf_model_name" in config["text_cfg"]:
        inner = str(folder / config["text_cfg"]["hf_model_name"])
        here = {"text_cfg": {**config["text_cfg"], "hf_model_name": inner, "hf_model_pretrained": False}}
    model = stirred(open_clip.create_model(f"local-dir:{folder}", load_weights=False, pretrained_text=False, **here))
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, folder / "model.safetensors")
    return folder


def word_tokenizer(folder: Path, length: int) -> Path:
    """A small tokenizer of the kind that SigLIP has: pieces of words, an end, padding that is the end."""
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=200, special_tokens=["<unk>", "</s>"], unk_token="<unk>")
    tokenizer.train_from_iterator([caption.lower() for caption in CAPTIONS] * 20, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="<unk>",
        eos_token="</s>",
        pad_token="</s>",
        model_max_length=length,
        padding_side="right",
    )
    fast.save_pretrained(folder)
    return folder


def clip_tokenizer(folder: Path) -> Path:
    """CLIP's own vocabulary as `transformers` keeps it."""
    import open_clip
    from transformers import CLIPTokenizer

    own = open_clip.tokenizer.SimpleTokenizer()
    renamed = {"<start_of_text>": "<|startoftext|>", "<end_of_text>": "<|endoftext|>"}
    vocabulary = {renamed.get(token, token): number for token, number in own.encoder.items()}
    merges = sorted(own.bpe_ranks, key=own.bpe_ranks.__getitem__)
    CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=77).save_pretrained(folder)
    return folder


def transformers_folder(folder: Path, kind: str, **text: object) -> Path:
    """A folder with a `transformers` model of a kind: clip, siglip or siglip2."""
    import transformers as hf

    small = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    if kind == "clip":
        clip_tokenizer(folder)
        processor: Any = hf.CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
        model: Any = hf.CLIPModel(
            hf.CLIPConfig(
                text_config={**small, "vocab_size": 49408, "max_position_embeddings": 77, "projection_dim": 16, **text},
                vision_config={**small, "image_size": 32, "patch_size": 8, "projection_dim": 16},
                projection_dim=16,
            )
        )
    else:
        length = 16
        word_tokenizer(folder, length)
        words = {**small, "vocab_size": 200, "max_position_embeddings": length, "projection_size": 32, **text}
        if kind == "siglip":
            vision = {**small, "image_size": 32, "patch_size": 8}
            processor = hf.SiglipImageProcessor(size={"height": 32, "width": 32})
            model = hf.SiglipModel(hf.SiglipConfig(text_config=words, vision_config=vision))
        else:
            vision = {**small, "num_patches": 16, "patch_size": 8}
            processor = hf.Siglip2ImageProcessor(patch_size=8, max_num_patches=16)
            model = hf.Siglip2Model(hf.Siglip2Config(text_config=words, vision_config=vision))
    stirred(model)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
