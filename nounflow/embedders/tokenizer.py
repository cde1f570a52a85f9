"""A text tower's tokenizer: a fast one where it gives the very ids of the library's own, else the library's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

# Case, punctuation, contractions, digits, spaces, accents, entities, broken encodings, tokens that mean something,
# scripts, emoji, nothing at all, and more than any context holds: where two tokenizers that look alike differ.
NASTY = (
    "a photo of a cat.",
    "Two X-Rays, 3 APPLES & a 12-inch pizza!",
    "IT'S the dog's; they'LL say we've'd 'tis rock'n'roll",
    "  leading,  double   and trailing spaces \t\n ",
    'under_score, hyphen-ated, a/b, (brackets) [and] {braces} ~ ` ^ | \\ " # $ % * + = < > @',
    "café naïve Ünïcode — “quotes” … ½ ﬁ Ａ",
    "caf\u0065\u0301 Ⅳ ſ İstanbul ß",
    "&amp;lt;b&gt; &eacute; &",
    "schÃ¶n â€œmojibakeâ€\x9d",
    "<start_of_text> <end_of_text> <|startoftext|> <|endoftext|> </s> <pad> [SEP]",
    "日本語 中文 한국어 العربية हिन्दी 🐈‍⬛ 👍🏽",
    "control \x00\x1b[31m characters \x7f and \u200b\u00a0\u2028 spaces",
    "",
    " ",
    "1234567890 3.14 1,000 2nd x2 h2o",
    "antidisestablishmentarianism pneumonoultramicroscopicsilicovolcanoconiosis",
    "a long caption that goes on and on, " * 12,
)


class TowerTokenizer:
    """Token ids of texts as a tower wants them: special tokens included, cut to its context, without padding."""

    def __init__(
        self,
        padded: Callable[[Sequence[str]], Tensor],
        candidates: Sequence[Callable[[Sequence[str]], list[list[int]]]],
        context: int,
        pad: int,
    ) -> None:
        """Of `candidates`, the first that equals `padded` on texts hard to split is used; if none does, `padded`.

        Args:
            padded: the library's own: texts -> int64 [texts, context].
        """
        self.padded, self.context, self.pad = padded, context, pad
        expected = padded(NASTY).tolist()
        self.tokens: Callable[[Sequence[str]], list[list[int]]] = lambda texts: padded(list(texts)).tolist()
        self.fast = False  # whether texts come without padding
        for candidate in candidates:
            found = candidate(NASTY)
            if [ids + [pad] * (context - len(ids)) for ids in found] == expected:
                self.tokens, self.fast = candidate, True
                break
        if not self.fast:
            print("tokenizer: the library's own, with all its padding, since no faster one gives the same ids")


def backend_tokens(backend: Any, context: int) -> Callable[[Sequence[str]], list[list[int]]]:
    """Texts to token ids with special tokens, by a `tokenizers.Tokenizer` (copied, so its own settings stay)."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(backend.to_str())
    tokenizer.no_padding()
    tokenizer.enable_truncation(context)
    return lambda texts: [encoding.ids for encoding in tokenizer.encode_batch_fast(list(texts))]


def is_plain(text: str) -> bool:
    """Whether the mending of encodings, entities and control characters leaves a text as it is.

    True for printable ASCII without entities; most captions are, and `ftfy` takes longer than making their tokens.
    """
    return text.isascii() and text.isprintable() and "&" not in text
