"""The offline captioner: scene-like captions from WordNet glosses, sentence patterns and word lists.

There is no language model in it. It knows what the lexicon says of a noun (gloss, parents, forms) and what the word
lists say of its group (where a bird sits, what is done with a tool).
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from nounflow.captions.glosses import GlossPhrases, GlossReader
from nounflow.captions.quotas import quotas
from nounflow.captions.scenes import WORD_SLOTS, Pattern, SceneBook
from nounflow.captions.table import CaptionDraft, Row, Written, frames, record_nouns, record_texts
from nounflow.config.captions import OfflineConfig
from nounflow.counts import Counts
from nounflow.streams import stream
from nounflow.text import agreeing, canon, indefinite_article, regular_plural, regular_singular

FEWEST = 4  # captions that every noun gets
SHORTEST, LONGEST = 5, 25  # words of a caption
RUN = 4  # so many words of the gloss in a row are a definition's
_TRIES = 40  # for one caption
_ADJECTIVES = frozenset({"adjective", "trait"})
_WORD = re.compile(r"[a-z0-9'-]+")
_MARKED = re.compile(r"([#@]) ([^\s,.]+)")
_SLOT = re.compile(r"\{(\w+)\}")
_LITTLE = re.compile(r"[^\w ]|\b(?:a|an|the|some|one|two|three|several|few|many)\b")


def draft_captions(nouns: pl.DataFrame, words: Path, settings: OfflineConfig, seed: int) -> CaptionDraft:
    """Captions of a whole lexicon; `words`: the folder of the files that `SceneBook` reads."""
    captioner = OfflineCaptioner(nouns, SceneBook(words), settings, seed)
    refused = Counter[str]()

    def count(written: Written) -> Counts:
        counts = Counts("captions")
        record_texts(counts, "offline captions", int(captioner.asked.sum()), written)
        flow = counts.flow("sentences tried", written.rows + refused.total(), "sentences")
        for reason, n in sorted(refused.items()):
            flow.drop(n, reason)
        flow.out(written.rows, "captions")
        record_nouns(counts, len(nouns), written, "no sentence could be made")
        return counts

    return CaptionDraft(frames(captioner.rows(refused)), count)


@dataclass(frozen=True)
class Subject:
    """What the captioner knows of one noun."""

    id: int
    key: str
    weight: float
    forms: tuple[tuple[str, ...], tuple[str, ...]]  # singular, plural
    shares: tuple[tuple[float, ...], tuple[float, ...]]
    group: str
    plural_share: float  # of the noun's use
    countability: str  # as in a lexicon
    phrases: GlossPhrases
    others: tuple[str, ...]  # plurals of parents that can be named: "thrushes"
    gloss: frozenset[tuple[str, ...]]  # runs of `RUN` words, which no caption repeats

    def options(self, plural: bool) -> dict[str, tuple[str, ...]]:
        """What the noun's own entry has for the slots of `NOUN_SLOTS` but the noun itself."""
        return {
            "detail": self.phrases.details,
            "feature": () if plural else self.phrases.features,  # several have several
            "others": self.others if self.countability == "count" else (),
            "trait": self.phrases.traits,
        }


class OfflineCaptioner:
    """Writes captions of the nouns of one lexicon; a noun's captions depend on the seed, its entry and its quota."""

    def __init__(self, nouns: pl.DataFrame, book: SceneBook, settings: OfflineConfig, seed: int) -> None:
        self._book, self._seed = book, seed
        vocabulary = {*nouns["singulars"].explode().drop_nulls(), *nouns["hypernyms"].explode().drop_nulls()}
        reader = GlossReader(vocabulary, book.words("trait"), book.words("uncountable"))
        self.subjects = [_subject(row, book, reader) for row in nouns.iter_rows(named=True)]
        mean = settings.captions_per_noun
        low = max(FEWEST, mean // 2)
        weights = np.array([subject.weight for subject in self.subjects])
        self.asked = quotas(weights, mean, low, max(low, 3 * mean))  # int64 [nouns]

    def rows(self, refused: Counter[str]) -> Iterator[Row]:
        """Captions of all nouns; adds to `refused` by reason. Two nouns that share a form may get the same text."""
        for subject, asked in zip(self.subjects, self.asked.tolist(), strict=True):
            captions = self._captions(subject, asked, refused)
            for text, pattern in captions:
                yield text, (subject.id,), subject.weight / len(captions), pattern

    def _captions(self, subject: Subject, asked: int, refused: Counter[str]) -> list[tuple[str, str]]:
        """(caption, pattern id), different from each other after normalisation."""
        rng = stream(self._seed, "offline", subject.key)
        n_plural = min(int(asked * subject.plural_share + rng.random()), asked)
        plurals = rng.permutation([True] * n_plural + [False] * (asked - n_plural)).tolist()
        patterns = {plural: self._ordered(subject, plural, rng) for plural in set(plurals)}
        forms = sorted({*subject.forms[0], *subject.forms[1]}, key=len, reverse=True)
        own = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, forms))})(?!\w)", re.IGNORECASE)
        kept: dict[str, tuple[str, str]] = {}
        for plural in plurals:
            for _ in range(_TRIES):
                pattern = next(patterns[plural])
                form = _pick(subject.forms[plural], subject.shares[plural], rng)
                text = self._sentence(subject, pattern, form, plural, rng)
                plain = " ".join(_LITTLE.sub(" ", canon(text)).split())
                reason = _fault(text, form, own, subject.gloss)
                if reason is None and plain in kept:
                    reason = "nearly the same as another caption of the noun"
                if reason is None:
                    kept[plain] = (text, pattern.id)
                    break
                refused[reason] += 1
        return list(kept.values())

    def _ordered(self, subject: Subject, plural: bool, rng: np.random.Generator) -> Iterator[Pattern]:
        """Patterns that can be filled for this noun and number, by weight without replacement, again and again."""
        own = {slot for slot, options in subject.options(plural).items() if options}
        fitting = [
            pattern for pattern in self._book.patterns(subject.group) if pattern.slots <= own | WORD_SLOTS | {"noun"}
        ]
        weights = np.array([pattern.weight for pattern in fitting])
        while True:
            for i in np.argsort(rng.exponential(size=len(fitting)) / weights):
                yield fitting[i]

    def _sentence(self, subject: Subject, pattern: Pattern, form: str, plural: bool, rng: np.random.Generator) -> str:
        values = {"noun": form}
        own = subject.options(plural)
        for slot in sorted(pattern.slots - {"noun"}, key=lambda slot: (slot in _ADJECTIVES, slot)):
            options = own.get(slot, ())
            if slot == "adjective" and own["trait"] and rng.random() < 0.5:
                options = own["trait"]
            options = options or self._book.words(slot, subject.group)
            if slot in _ADJECTIVES:  # not "a woven rug woven on a loom"
                said = re.findall(r"[\w-]+", " ".join(values.values()).lower())
                options = tuple(option for option in options if option not in said) or options
            values[slot] = options[int(rng.integers(len(options)))]
        text = _SLOT.sub(lambda match: values[match[1]], agreeing(pattern.text, plural))
        quantities = self._book.words("quantity")
        quantity = "" if rng.random() < 0.25 else f"{quantities[int(rng.integers(len(quantities)))]} "
        text = _MARKED.sub(lambda match: _determined(match, subject, plural, quantity), text)
        first = text.split(maxsplit=1)[0]
        return text if first != first.lower() else text[0].upper() + text[1:]  # "iPods" has a capital of its own


def _determined(match: re.Match[str], subject: Subject, plural: bool, quantity: str) -> str:
    """The word behind a `#` or `@`, with what the mark stands for."""
    word = match[2]
    if plural:
        if match[1] == "@":
            return word
        return f"some {word}" if subject.countability == "plural" else f"{quantity}{word}"  # no "three scissors"
    if subject.countability in ("mass", "both"):
        return f"some {word}" if match[1] == "#" else word
    return word if subject.countability == "name" else f"{indefinite_article(word)} {word}"


def _subject(row: dict[str, Any], book: SceneBook, reader: GlossReader) -> Subject:
    forms = tuple(row["singulars"]), tuple(row["plurals"])
    shares = tuple(row["singular_shares"]), tuple(row["plural_shares"])
    group = book.group_of(row["kind"], [row["canon"], *row["hypernyms"]])
    plural_share = sum(shares[1]) / (sum(shares[0]) + sum(shares[1]))
    own = {canon(form) for form in (*forms[0], *forms[1])}
    last_words = {form.rpartition(" ")[2] for form in own}
    classes = [
        name
        for name in row["hypernyms"][:3]
        if name in book.words("spoken") and canon(name).rpartition(" ")[2] not in last_words
    ]
    return Subject(
        id=row["id"],
        key=row["key"],
        weight=row["weight"],
        forms=forms,
        shares=shares,
        group=group,
        plural_share=plural_share,
        countability=row["countability"] or "count",
        phrases=reader.read(row["gloss"], own),
        others=tuple(_others(name, book) for name in classes[:2]),
        gloss=_runs(row["gloss"]),
    )


def _others(parent: str, book: SceneBook) -> str:
    """A parent in the plural: "thrushes", "birds of prey", "clothing"."""
    head = parent.partition(" of ")[0].rpartition(" ")[2]
    plural = regular_singular(head) is not None and not head.endswith("us")  # fungus
    return parent if plural or head in book.words("uncountable") else regular_plural(parent)


def _pick(options: tuple[str, ...], shares: tuple[float, ...], rng: np.random.Generator) -> str:
    if len(options) == 1:
        return options[0]
    weights = np.asarray(shares, dtype=np.float64)
    return options[int(rng.choice(len(options), p=weights / weights.sum()))]


def _runs(text: str) -> frozenset[tuple[str, ...]]:
    """All runs of `RUN` words of a text."""
    words = _WORD.findall(text.lower())
    return frozenset(zip(*(words[i:] for i in range(RUN)), strict=False))


def _fault(text: str, form: str, own: re.Pattern[str], gloss: frozenset[tuple[str, ...]]) -> str | None:
    """Why a caption is refused; None if it is sound."""
    if not SHORTEST <= len(text.split()) <= LONGEST:
        return f"not {SHORTEST} to {LONGEST} words long"
    found = own.findall(text)
    if not any(match.lower() == form.lower() for match in found):
        return "the noun is not a word of its own"
    if len(found) > 1:
        return "names the noun twice"
    if not gloss.isdisjoint(_runs(text)):
        return "repeats the gloss"
    words = [word.strip(",.").lower() for word in own.sub("_", text).split()]  # "Bison bison" is one
    if any(a == b for a, b in pairwise(words)):
        return "repeats a word"
    return None
