"""Embedders behind one protocol; a spec string names one."""

from __future__ import annotations

from nounflow.config.embedder import EmbedderConfig
from nounflow.device import choose_precision, prepare_device
from nounflow.embedders.protocol import Embedder, TargetTokenizer

__all__ = ["Embedder", "TargetTokenizer", "load_embedder", "load_target_tokenizer"]


def load_embedder(config: EmbedderConfig, device: str, threads: int, images: bool = True) -> Embedder:
    """Load the embedder that `config.spec` names.

    Args:
        device: auto, cpu or cuda.
        threads: CPU threads, set in torch.
        images: also load what images need; False starts faster.

    Raises:
        NounflowError: the spec is unknown, or its weights are not here.
    """
    from nounflow.embedders.options import ComputeOptions

    device = prepare_device(device, threads)
    precision = choose_precision(config.precision, device, "embedding")
    options = ComputeOptions(device, precision, config.batch_tokens, config.compile)
    kind, _, name = config.spec.partition(":")
    if kind == "bundled":
        from nounflow.embedders.bundled import BundledEmbedder

        return BundledEmbedder(options, images)
    if kind == "transformers":
        from nounflow.embedders.transformers_clip import load_transformers

        return load_transformers(name, options)
    from nounflow.embedders.openclip import load_openclip

    return load_openclip(name, options)


def load_target_tokenizer(config: EmbedderConfig) -> TargetTokenizer:
    """Only the tokenizer that spells the decoder's targets; no model is loaded."""
    kind, _, name = config.spec.partition(":")
    if kind == "bundled":
        from nounflow.embedders.minilm import WordPieces

        return WordPieces()
    if kind == "transformers":
        from nounflow.embedders.transformers_clip import load_tokenizer as load_hf_tokenizer

        return load_hf_tokenizer(name)
    from nounflow.embedders.openclip import load_tokenizer

    return load_tokenizer(name)
