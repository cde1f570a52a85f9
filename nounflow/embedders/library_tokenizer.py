"""Tokenizers of other libraries: a fast one where it gives the very ids of the library's own, else the own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nounflow.embedders.tokenizer import TextTokenizer, Tokenise
from nounflow.errors import NounflowError

if TYPE_CHECKING:
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

_FEWEST = 10  # different tokens of these; a vocabulary of 60 pieces makes 46


@dataclass
class LibraryTokenizer(TextTokenizer):
    """A tokenizer of another library, beside a fast one that gives the same ids."""

    padded: Callable[[Sequence[str]], Tensor]  # the library's own: texts -> ids, int64 [texts, context]
    description: str  # cleaning and padding, in words that say when two tokenizers differ


def describe(cleaning: str, context: int, pad: int) -> str:
    """What is done to a text, in words."""
    return f"cleaning: {cleaning}; cut and padded to {context} tokens with {pad}"


def fastest(
    padded: Callable[[Sequence[str]], Tensor], candidates: Sequence[Tokenise], context: int, pad: int
) -> Tokenise:
    """The first of `candidates` that equals `padded` on nasty texts; if none does, `padded` itself, with its padding.

    Args:
        padded: the library's own: texts -> ids, int64 [texts, context].

    Raises:
        NounflowError: the tokenizer has no vocabulary; a library makes an empty one where its files are missing.
    """
    expected = padded(NASTY).tolist()
    if len({number for row in expected for number in row}) < _FEWEST:
        raise NounflowError(
            "The tokenizer knows no words: all texts get the same few tokens",
            where="tokenizer of the model",
            fix="its files are missing (tokenizer.json, or vocab.json and merges.txt): fetch the whole model",
        )
    for candidate in candidates:
        if [ids + [pad] * (context - len(ids)) for ids in candidate(NASTY)] == expected:
            return candidate
    print("tokenizer: the library's own, with all its padding, since no faster one gives the same ids")
    return lambda texts: padded(texts).tolist()


def vocabulary_lines(vocabulary: Mapping[str, int]) -> list[str]:
    """A line for each token, "token<tab>id", in the order of ids."""
    return [f"{token}\t{number}" for token, number in sorted(vocabulary.items(), key=lambda item: item[1])]


def is_plain(text: str) -> bool:
    """Whether the mending of encodings, entities and control characters leaves a text as it is.

    True for printable ASCII without entities; most captions are, and `ftfy` takes longer than making their tokens.
    """
    return text.isascii() and text.isprintable() and "&" not in text
