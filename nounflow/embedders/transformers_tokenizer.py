"""The tokenizers of CLIP and SigLIP models of `transformers`."""

import string
from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from nounflow.embedders.library_tokenizer import NASTY, LibraryTokenizer, describe, fastest, vocabulary_lines
from nounflow.embedders.tokenizer import Tokenise, backend_tokens
from nounflow.embedders.transformers_files import load_config, load_or_advise, source, where
from nounflow.files import sha256_text

_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def load_tokenizer(name: str) -> LibraryTokenizer:
    """The tokenizer of a model.

    Raises:
        NounflowError: the model is of another kind, or its files are not here.
    """
    config = load_config(name)
    own = load_or_advise(name, lambda: _own_tokenizer(name))
    return tokenizer_of(own, config.model_type, int(config.text_config.max_position_embeddings))


def tokenizer_of(own: Any, kind: str, context: int) -> LibraryTokenizer:
    """A model's own tokenizer with its fast equal.

    Args:
        own: as `transformers.AutoTokenizer` gives it.
        kind: of the model, one of `transformers_files.KINDS`.
        context: the most tokens that the model takes.
    """
    cleaning, clean = _cleaning(kind, own)
    pad = int(own.pad_token_id or 0)

    def padded(texts: Sequence[str]) -> Tensor:
        cleaned = [clean(text) for text in texts]
        found: Tensor = own(
            cleaned, padding="max_length", truncation=True, max_length=context, return_tensors="pt"
        ).input_ids
        return found

    def target_tokens(texts: Sequence[str]) -> list[list[int]]:
        cleaned = [clean(text) for text in texts]
        return [list(ids) for ids in own(cleaned, add_special_tokens=False).input_ids] if cleaned else []

    candidates: list[Tokenise] = []
    if (backend := getattr(own, "backend_tokenizer", None)) is not None:
        tokens = backend_tokens(backend, context)
        candidates = [lambda texts: tokens([clean(text) for text in texts])]
    return LibraryTokenizer(
        tokens=fastest(padded, candidates, context, pad),
        context=context,
        pad=pad,
        target_tokens=target_tokens,
        target_decode=lambda ids: " ".join(own.decode(list(ids), skip_special_tokens=True).split()),
        target_digest=sha256_text(repr(padded(NASTY).tolist()), *vocabulary_lines(own.get_vocab())),
        padded=padded,
        description=describe(cleaning, context, pad),
    )


def _cleaning(kind: str, tokenizer: Any) -> tuple[str, Callable[[str], str]]:
    """What is done to a text before its tokens are made: (name, function).

    SigLIP was trained on lower case without punctuation, SigLIP 2 (Gemma's tokenizer) on lower case; not every
    tokenizer file does so itself, and doing it twice changes nothing.
    """
    if kind == "clip":
        return "the tokenizer's own", lambda text: text
    if any(word in type(tokenizer).__name__.lower() for word in ("gemma", "siglip2")):
        return "lower case", str.lower
    return "canonicalize", lambda text: " ".join(text.translate(_NO_PUNCTUATION).lower().split())


def _own_tokenizer(name: str) -> Any:
    """The model's tokenizer; where its class wants sentencepiece, which is not here, its `tokenizer.json` alone."""
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    try:
        return AutoTokenizer.from_pretrained(source(name), **where(name))
    except ImportError as error:
        try:
            return PreTrainedTokenizerFast.from_pretrained(source(name), **where(name))
        except Exception:  # no tokenizer.json either
            raise error from None
