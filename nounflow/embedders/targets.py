"""The tokenizer of an embedder, which spells the decoder's targets; no model is loaded."""

from __future__ import annotations

from nounflow.config.embedder import EmbedderConfig
from nounflow.embedders.tokenizer import TargetTokenizer
from nounflow.registry import resolve


def load_target_tokenizer(config: EmbedderConfig) -> TargetTokenizer:
    """The tokenizer of the embedder that `config.spec` names.

    Raises:
        NounflowError: its files are not here.
    """
    tokenizer: TargetTokenizer = resolve(config.family.tokenizer)(config.model)
    return tokenizer
