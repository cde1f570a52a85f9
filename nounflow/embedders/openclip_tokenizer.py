"""The tokenizers of open_clip: byte pairs in Python, which is slow, or one of Hugging Face behind a cleaning."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from nounflow.embedders.tokenizer import NASTY, TowerTokenizer, backend_tokens, is_plain
from nounflow.files import sha256_text

_CONTRACTIONS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


class OpenClipTokenizer:
    """An open_clip model's own tokenizer and its fast equal; spells the decoder's targets too."""

    def __init__(self, own: Any) -> None:
        self._own = own
        self._inner = getattr(own, "tokenizer", None)  # a Hugging Face tokenizer
        self._clean = _quick_clean(getattr(own, "clean_fn", None) or _siglip_clean())
        context = int(own.context_length)
        if self._inner is None:
            candidates, pad = [self._byte_pairs(context), self._slow_byte_pairs(context)], 0
        else:
            candidates, pad = self._hugging_face(context), int(self._inner.pad_token_id or 0)
        if getattr(own, "reduction_fn", None) is not None:  # drops tokens of long texts at random
            candidates = []
        self.tower = TowerTokenizer(self._padded, candidates, context, pad)
        sample = self._padded(NASTY)
        self.target_digest = sha256_text(repr(own.__class__), repr(sample.tolist()), *self._vocabulary())

    def target_tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """See `TargetTokenizer.target_tokens`."""
        if self._inner is not None:
            return [self._inner(self._clean(text), add_special_tokens=False).input_ids for text in texts]
        return [self._own.encode(text) for text in texts]

    def target_decode(self, ids: Sequence[int]) -> str:
        """See `TargetTokenizer.target_decode`."""
        if self._inner is not None:
            text = self._inner.decode(list(ids), skip_special_tokens=True)
        else:
            text = self._own.decode(list(ids))
        return " ".join(text.split())

    def describe(self) -> str:
        """Cleaning and padding, in words that say when two tokenizers differ."""
        clean = getattr(self._own, "clean_fn", None)
        cleaning = "canonicalize" if clean is None else clean.__name__.removeprefix("_clean_")
        words = f"cleaning: {cleaning}; cut and padded to {self.tower.context} tokens with {self.tower.pad}"
        return words + ("; separators made padding" if getattr(self._own, "strip_sep_token", False) else "")

    def _padded(self, texts: Sequence[str]) -> Tensor:
        found: Tensor = self._own(list(texts))
        return found

    def _slow_byte_pairs(self, context: int) -> Callable[[Sequence[str]], list[list[int]]]:
        """open_clip's own encoding, without its padding."""
        start, end, encode = self._own.sot_token_id, self._own.eot_token_id, self._own.encode
        return lambda texts: [[start, *encode(text)[: context - 2], end] for text in texts]

    def _byte_pairs(self, context: int) -> Callable[[Sequence[str]], list[list[int]]]:
        """The same vocabulary and merges in a compiled tokenizer, for printable ASCII; other texts go the slow way."""
        from tokenizers import Regex, Tokenizer, models, pre_tokenizers

        ranks = self._own.bpe_ranks
        merges = sorted(ranks, key=ranks.__getitem__)
        model = models.BPE(vocab=self._own.encoder, merges=merges, end_of_word_suffix="</w>")
        tokenizer = Tokenizer(model)
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(_CONTRACTIONS), behavior="removed", invert=True),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
        start, end, slow = self._own.sot_token_id, self._own.eot_token_id, self._slow_byte_pairs(context)

        def tokens(texts: Sequence[str]) -> list[list[int]]:
            plain = [is_plain(text) and "<" not in text for text in texts]  # "<" may open a special token
            cleaned = [self._clean(text) for text, is_easy in zip(texts, plain, strict=True) if is_easy]
            fast = iter(tokenizer.encode_batch_fast(cleaned))
            return [
                [start, *next(fast).ids[: context - 2], end] if is_easy else slow([text])[0]
                for text, is_easy in zip(texts, plain, strict=True)
            ]

        return tokens

    def _hugging_face(self, context: int) -> list[Callable[[Sequence[str]], list[list[int]]]]:
        inner: Any = self._inner
        backend = getattr(inner, "backend_tokenizer", None)
        if backend is None or getattr(self._own, "tokenizer_mode", None):
            return []
        tokens = backend_tokens(backend, context)
        separator = inner.sep_token_id if getattr(self._own, "strip_sep_token", False) else None

        def cleaned(texts: Sequence[str]) -> list[list[int]]:
            found = tokens([self._clean(text) for text in texts])
            return found if separator is None else [[0 if i == separator else i for i in ids] for ids in found]

        return [cleaned]

    def _vocabulary(self) -> list[str]:
        table = self._inner.get_vocab() if self._inner is not None else self._own.encoder
        return [f"{token}\t{number}" for token, number in sorted(table.items(), key=lambda item: item[1])]


def _quick_clean(clean: Callable[[str], str]) -> Callable[[str], str]:
    """The same cleaning, without the mending that plain texts do not need."""
    from open_clip import tokenizer as own

    plain_forms = {
        own._clean_lower: lambda text: " ".join(text.split()).lower(),
        own._clean_whitespace: lambda text: " ".join(text.split()),
        own._clean_canonicalize: own.canonicalize_text,
    }
    quick = plain_forms.get(clean)
    return clean if quick is None else lambda text: quick(text) if is_plain(text) else clean(text)


def _siglip_clean() -> Callable[[str], str]:
    from open_clip import tokenizer as own

    found: Callable[[str], str] = own._clean_canonicalize
    return found
