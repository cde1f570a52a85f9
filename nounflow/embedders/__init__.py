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
    device = prepare_device(device, threads)
    precision = choose_precision(config.precision, device, "embedding")
    kind, _, name = config.spec.partition(":")
    if kind == "bundled":
        from nounflow.embedders.bundled import BundledEmbedder

        return BundledEmbedder(device, precision, config.batch_tokens, images)
    from nounflow.embedders.openclip import OpenClipEmbedder

    return OpenClipEmbedder(name, device, precision, config.batch_tokens)


def load_target_tokenizer(config: EmbedderConfig) -> TargetTokenizer:
    """Only the tokenizer that spells the decoder's targets; for the bundled embedder no model is loaded."""
    kind, _, name = config.spec.partition(":")
    if kind == "bundled":
        from nounflow.embedders.minilm import WordPieces

        return WordPieces()
    from nounflow.embedders.openclip import OpenClipTokenizer

    return OpenClipTokenizer(name)
