"""Whether a text reads as one English caption, rather than as talk about captions, mark-up or another language."""

import functools
import re
import unicodedata
from collections.abc import Sequence

from nounflow.escaping import CONTROL

_META = (  # (reason, pattern)
    ("a placeholder or code in it", re.compile(r"[{}<>|\\]|https?://|\[\w*\]")),
    ("mark-up", re.compile(r"\*\*|__|`|^\s*#|\]\(|(?<!\w)\*\w")),
    ("numbering", re.compile(r"^\s*(?:\(?\d{1,3}[.):]\s|\(?[a-z][.)]\s|[-–—*•]\s)", re.IGNORECASE)),
    ("more than one line", re.compile(r"[\r\n]")),
    ("a control code in it", CONTROL),
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
# Of the Latin letter languages with a word list, those with many speakers; not Hungarian, whose commonest word is "a".
_LANGUAGES = ("ca", "cs", "da", "de", "es", "fi", "fr", "id", "it", "nb", "nl", "pl", "pt", "ro", "sv", "tr", "vi")
_KNOWN = 1.0  # Zipf frequency from which a word counts as English: once in a hundred million
_LIKELIER = 3.0  # powers of ten by which another language must explain the words better than English


def meta_fault(text: str) -> str | None:
    """What shows that a text is not a caption alone, None if nothing does."""
    for reason, pattern in _META:
        if pattern.search(text):
            return reason
    if len(_DOUBLE_QUOTES.findall(text)) % 2:
        return "a quotation mark without its partner"
    return None


def min_latin_share(text: str) -> float:
    """Share of Latin letters, accents or not, among the letters of a text; 1 where there is none."""
    letters = [letter for letter in text if letter.isalpha()]
    return sum(map(_is_latin, letters)) / len(letters) if letters else 1.0


def reads_as_english(words: Sequence[str]) -> bool:
    """Whether the words of a text are English; `words`: lower-case, without the names of nouns.

    Not if another language explains them a thousand times better, word by word (the sum of log10 frequencies), or
    if fewer than 60 % of them are English words at all. Nouns are left out, since loan words (kimono, schnauzer)
    mislead every test of language.
    """
    if not words:
        return True
    known = [_zipf(word) for word in words]
    enough = sum(known) + _LIKELIER
    if sum(map(_zipf_elsewhere, words)) > enough:  # else no single language comes near
        for frequencies in _other_languages():
            if sum(frequencies.get(word, 0.0) for word in words) > enough:
                return False
    return sum(zipf >= _KNOWN or word.isdigit() for zipf, word in zip(known, words, strict=True)) >= 0.6 * len(words)


@functools.lru_cache(maxsize=4096)
def _is_latin(letter: str) -> bool:
    return letter.isascii() or unicodedata.name(letter, "").startswith("LATIN")


@functools.lru_cache(maxsize=1)
def _other_languages() -> tuple[dict[str, float], ...]:
    """Zipf frequencies (log10 of uses in a billion words) of the words of other languages; rare words have none."""
    from wordfreq import get_frequency_list  # late: it reads its lists

    zipf = [9 - hundredths / 100 for hundredths in range(900)]
    read = get_frequency_list.__wrapped__  # its cache would hold them a second time
    return tuple(
        {word: value for value, words in zip(zipf, read(language, "small"), strict=False) for word in words}
        for language in _LANGUAGES
    )


@functools.lru_cache(maxsize=65536)
def _zipf_elsewhere(word: str) -> float:
    """The most that any other language has."""
    return max(frequencies.get(word, 0.0) for frequencies in _other_languages())


@functools.lru_cache(maxsize=65536)
def _zipf(word: str) -> float:
    from wordfreq import zipf_frequency

    return zipf_frequency(word, "en")
