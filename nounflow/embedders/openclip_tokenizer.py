"""The tokenizers of open_clip: byte pairs in Python, which is slow, or one of Hugging Face behind a cleaning."""

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from nounflow.embedders.library_tokenizer import (
    NASTY,
    LibraryTokenizer,
    describe,
    fastest,
    is_plain,
    vocabulary_lines,
)
from nounflow.embedders.tokenizer import Tokenise, backend_tokens
from nounflow.files import sha256_text

_CONTRACTIONS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


def tokenizer_of(own: Any) -> LibraryTokenizer:
    """The tokenizer of an open_clip model with its fast equal.

    Args:
        own: as `open_clip.get_tokenizer` gives it.
    """
    inner = getattr(own, "tokenizer", None)  # a Hugging Face tokenizer
    clean_fn = getattr(own, "clean_fn", None)
    clean = _quick_clean(clean_fn)
    context, pad = int(own.context_length), int(getattr(inner, "pad_token_id", None) or 0)

    def padded(texts: Sequence[str]) -> Tensor:
        found: Tensor = own(list(texts))
        return found

    if inner is None:
        candidates = [_byte_pairs(own, clean, context), _slow_byte_pairs(own, context)]
    else:
        candidates = _hugging_face(own, inner, clean, context)
    if getattr(own, "reduction_fn", None) is not None:  # drops tokens of long texts at random
        candidates = []

    def target_tokens(texts: Sequence[str]) -> list[list[int]]:
        if inner is not None:
            return [inner(clean(text), add_special_tokens=False).input_ids for text in texts]
        return [own.encode(text) for text in texts]

    def target_decode(ids: Sequence[int]) -> str:
        text = own.decode(list(ids)) if inner is None else inner.decode(list(ids), skip_special_tokens=True)
        return " ".join(text.split())

    cleaning = "canonicalize" if clean_fn is None else clean_fn.__name__.removeprefix("_clean_")
    vocabulary = own.encoder if inner is None else inner.get_vocab()
    return LibraryTokenizer(
        tokens=fastest(padded, candidates, context, pad),
        context=context,
        pad=pad,
        target_tokens=target_tokens,
        target_decode=target_decode,
        target_digest=sha256_text(repr(own.__class__), repr(padded(NASTY).tolist()), *vocabulary_lines(vocabulary)),
        padded=padded,
        description=describe(cleaning, context, pad)
        + ("; separators made padding" if getattr(own, "strip_sep_token", False) else ""),
    )


def _slow_byte_pairs(own: Any, context: int) -> Tokenise:
    """open_clip's own encoding, without its padding."""
    start, end, encode = own.sot_token_id, own.eot_token_id, own.encode
    return lambda texts: [[start, *encode(text)[: context - 2], end] for text in texts]


def _byte_pairs(own: Any, clean: Callable[[str], str], context: int) -> Tokenise:
    """The same vocabulary and merges in a compiled tokenizer, for printable ASCII; other texts go the slow way."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers

    merges = sorted(own.bpe_ranks, key=own.bpe_ranks.__getitem__)
    tokenizer = Tokenizer(models.BPE(vocab=own.encoder, merges=merges, end_of_word_suffix="</w>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_CONTRACTIONS), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    start, end, slow = own.sot_token_id, own.eot_token_id, _slow_byte_pairs(own, context)

    def tokens(texts: Sequence[str]) -> list[list[int]]:
        plain = [is_plain(text) and "<" not in text for text in texts]  # "<" may open a special token
        cleaned = [clean(text) for text, is_easy in zip(texts, plain, strict=True) if is_easy]
        fast = iter(tokenizer.encode_batch_fast(cleaned))
        return [
            [start, *next(fast).ids[: context - 2], end] if is_easy else slow([text])[0]
            for text, is_easy in zip(texts, plain, strict=True)
        ]

    return tokens


def _hugging_face(own: Any, inner: Any, clean: Callable[[str], str], context: int) -> list[Tokenise]:
    backend = getattr(inner, "backend_tokenizer", None)
    if backend is None or getattr(own, "tokenizer_mode", None):
        return []
    tokens = backend_tokens(backend, context)
    separator = inner.sep_token_id if getattr(own, "strip_sep_token", False) else None

    def cleaned(texts: Sequence[str]) -> list[list[int]]:
        found = tokens([clean(text) for text in texts])
        return found if separator is None else [[0 if i == separator else i for i in ids] for ids in found]

    return [cleaned]


def _quick_clean(clean_fn: Callable[[str], str] | None) -> Callable[[str], str]:
    """The same cleaning, without the mending that plain texts do not need; SigLIP's where none is named."""
    from open_clip import tokenizer as own

    clean: Callable[[str], str] = clean_fn or own._clean_canonicalize
    plain_forms = {
        own._clean_lower: lambda text: " ".join(text.split()).lower(),
        own._clean_whitespace: lambda text: " ".join(text.split()),
        own._clean_canonicalize: own.canonicalize_text,
    }
    quick = plain_forms.get(clean)
    return clean if quick is None else lambda text: quick(text) if is_plain(text) else clean(text)
