"""The tokenizer of a text tower; light to import."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from nounflow.config.embedder import EmbedderConfig
from nounflow.registry import resolve

Tokenise = Callable[[Sequence[str]], list[list[int]]]


class TargetTokenizer(Protocol):
    """How nouns are spelled for the decoder: the tokenizer of the text tower, without special tokens."""

    target_digest: str  # changes whenever the same noun could get other ids

    def target_tokens(self, texts: Sequence[str], /) -> list[list[int]]:
        """Token ids of each text."""
        ...

    def target_decode(self, ids: Sequence[int], /) -> str:
        """The text of token ids; case and spacing around punctuation may differ from what was encoded."""
        ...


@dataclass
class TextTokenizer:
    """The tokenizer of a text tower of any family, which also spells the decoder's targets (`TargetTokenizer`)."""

    tokens: Tokenise  # as the tower wants them: special tokens included, cut to the context, without padding
    context: int  # the most tokens that the tower takes
    pad: int  # id of the padding token
    target_tokens: Tokenise  # without special tokens
    target_decode: Callable[[Sequence[int]], str]
    target_digest: str


def backend_tokens(backend: Any, context: int) -> Tokenise:
    """Texts to token ids with special tokens, by a `tokenizers.Tokenizer` (copied, so its own settings stay)."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(backend.to_str())
    tokenizer.no_padding()
    tokenizer.enable_truncation(context)
    return lambda texts: [encoding.ids for encoding in tokenizer.encode_batch_fast(list(texts))]


def load_target_tokenizer(config: EmbedderConfig) -> TargetTokenizer:
    """The tokenizer of the embedder that `config.spec` names; no model is loaded.

    Raises:
        NounflowError: its files are not here.
    """
    tokenizer: TargetTokenizer = resolve(config.family.tokenizer)(config.model)
    return tokenizer
