"""Whether a text reads as one English caption, rather than as talk about captions, mark-up or another language."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence

_META = (  # (reason, pattern)
    ("a placeholder or code in it", re.compile(r"[{}<>|\\]|https?://|\[\w*\]")),
    ("mark-up", re.compile(r"\*\*|__|`|^\s*#|\]\(|(?<!\w)\*\w")),
    ("numbering", re.compile(r"^\s*(?:\(?\d{1,3}[.):]\s|\(?[a-z][.)]\s|[-–—*•]\s)", re.IGNORECASE)),
    ("more than one line", re.compile(r"[\r\n]")),
    (
        "talk about the answer",
        re.compile(
            r"^\W*(?:here (?:is|are)\b|here['’]s\b|sure\b|certainly\b|of course[,!]|okay\b|ok[,!]|absolutely\b|"
            r"great[,!]|note:|captions?\b\s*\d*\s*:|(?:singular|plural)\s*:|as an ai\b|"
            r"i(?:['’]m| am) (?:sorry|unable|an? ai)\b|i can(?:['’]t|not)\b|sorry\b|unfortunately\b|this caption\b|"
            r"let me\b|the following\b|please (?:note|let)\b)|\blanguage model\b|\bimage captions?\b|"
            r"\bthe (?:word|noun|term) ['\"“‘]|\bhope this helps\b|\blet me know\b",
            re.IGNORECASE,
        ),
    ),
    ("quotation marks around it", re.compile(r"^\s*([\"“”«„]|['‘](?=.*['’][.!?]?\s*$))")),
)
_DOUBLE_QUOTES = re.compile(r"[\"“”«»„]")
_LANGUAGES = ("cs", "da", "de", "es", "fi", "fr", "id", "it", "nl", "pl", "pt", "ro", "sv", "tr")
_KNOWN = 1.0  # Zipf frequency from which a word counts as English: once in a hundred million


def meta_fault(text: str) -> str | None:
    """What shows that a text is not a caption alone, None if nothing does."""
    for reason, pattern in _META:
        if pattern.search(text):
            return reason
    if len(_DOUBLE_QUOTES.findall(text)) % 2:
        return "a quotation mark without its partner"
    return None


def ascii_share(text: str) -> float:
    """Share of a to z among the letters of a text; 1 where there is none."""
    letters = [letter for letter in text if letter.isalpha()]
    return sum(letter.isascii() for letter in letters) / len(letters) if letters else 1.0


def reads_as_english(words: Sequence[str]) -> bool:
    """Whether small words or known words speak for English; `words`: lower-case, without the names of nouns.

    Nouns are left out, since loan words (kimono, schnauzer) mislead every test of language. Small words of other
    languages decide first: dictionaries of English hold most of them too.
    """
    if not words:
        return True
    english, foreign = _small_words()
    n_foreign = sum(word in foreign for word in words)
    if n_foreign > 1 and n_foreign > sum(word in english for word in words):
        return False
    known = sum(_is_known(word) for word in words)
    return known >= 0.6 * len(words)


@functools.lru_cache(maxsize=1)
def _small_words() -> tuple[frozenset[str], frozenset[str]]:
    """The commonest words of English, and those of other languages that English hardly has."""
    from wordfreq import top_n_list  # late: it reads its lists

    common = top_n_list("en", 1500, wordlist="small")
    others = {word for language in _LANGUAGES for word in top_n_list(language, 80, wordlist="small")}
    return frozenset(common[:200]), frozenset(word for word in others - set(common) if len(word) > 1)


@functools.lru_cache(maxsize=65536)
def _is_known(word: str) -> bool:
    from wordfreq import zipf_frequency

    return word.isdigit() or zipf_frequency(word, "en") >= _KNOWN
