"""Is a text a good caption of its nouns? The same checks for every captioner, and what other nouns it names."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import polars as pl

from nounflow.captions.mentions import FormIndex, ReadText, secondary_nouns
from nounflow.captions.near_duplicates import Kept
from nounflow.captions.templates import Number
from nounflow.captions.wording import meta_fault, min_latin_share, reads_as_english
from nounflow.config.captions import ChecksConfig
from nounflow.senses import FormUse
from nounflow.text import word_set

_ONE = word_set("a an another each every this")
_DETERMINERS = word_set("a an the some one two three four five several few many this that these those")
_MANY = word_set("two three four several many these those both")


@dataclass(frozen=True)
class Checked:
    """What the checks say of one caption."""

    fault: str | None  # why it is refused; None: kept
    others: tuple[int, ...] = ()  # ids of secondary nouns it names, in order of mention
    related: int = 0  # mentions of parents and synonyms of its nouns, which are no secondary nouns


def number_of(template: str) -> Number | None:
    """The number that a source says a text is in: its template id is or ends in -singular or -plural."""
    last = template.rpartition("-")[2]
    return last if last in ("singular", "plural") else None  # type: ignore[return-value]


class CaptionChecks:
    """The checks for the captions of one lexicon."""

    def __init__(self, nouns: pl.DataFrame, settings: ChecksConfig) -> None:
        self.settings = settings
        self._index = FormIndex(nouns)

    def check_table(self, table: pl.DataFrame) -> list[Checked]:
        """One result for each row of a table of schema `CAPTIONS`; of captions that are alike, the first is kept."""
        checked: dict[int, Checked] = {}
        rows = enumerate(table.select("text", "targets", "template").iter_rows())
        # only the captions of one group of nouns are held at a time
        for _, of_group in groupby(sorted(rows, key=lambda row: row[1][1]), key=lambda row: row[1][1]):
            kept = Kept(self.settings.near_duplicate)
            for number, (text, targets, template) in of_group:
                checked[number] = self.check(text, targets, number_of(template), kept)
        return [checked[number] for number in sorted(checked)]

    def check(
        self, text: str, targets: Sequence[int], number: Number | None = None, kept: Kept | None = None
    ) -> Checked:
        """Check a caption that is to name the `targets`, in this number where it is known.

        `kept`: earlier captions of the same nouns; a sound caption is added to them.
        """
        reading = self._index.read(text, targets)
        fault = self._form_fault(reading) or self._noun_fault(reading, targets, number)
        if fault is None and kept is not None:
            fault = kept.fault(_plain(reading, targets))
        if fault is not None:
            return Checked(fault)
        others, related = secondary_nouns(self._index.forms, reading, targets)
        return Checked(None, others, related)

    def _form_fault(self, reading: ReadText) -> str | None:
        settings, text = self.settings, reading.text
        if "\ufffd" in text:
            return "a sign that cannot be read"
        if not text.strip():
            return "empty"
        if reason := meta_fault(text):
            return f"no caption alone: {reason}"
        n_words = len(text.split())
        if n_words < settings.min_words:
            return f"shorter than {settings.min_words} words"
        if n_words > settings.max_words or len(text) > settings.max_characters:
            return f"longer than {settings.max_words} words or {settings.max_characters} characters"
        named = {word for mention in reading.mentions for word in range(mention.first, mention.stop)}
        rest = [word for i, word in enumerate(reading.words) if i not in named]
        outside = "".join(text[word.start : word.end] for word in rest)
        if min_latin_share(outside) < settings.min_latin_share or not reads_as_english([word.bare for word in rest]):
            return "does not read as English"
        return None

    def _noun_fault(self, reading: ReadText, targets: Sequence[int], number: Number | None) -> str | None:
        for noun in targets:
            found = reading.of(noun)
            if not found:
                inside = self._index.hidden(reading, noun)
                return "its noun stands only inside a longer noun" if inside else "its noun is missing"
            if number is not None and not any(getattr(use, number) for _, use in found):
                return f"its noun is not in the {number}"
            if any(_disagrees(reading, mention.first, mention.stop, use) for mention, use in found):
                return "a word of number and its noun disagree"
        return None


def with_secondary(table: pl.DataFrame, checked: Sequence[Checked], share: float) -> pl.DataFrame:
    """The kept rows of a table of schema `CAPTIONS`, with secondary nouns as targets behind the others.

    `share`: weight of all secondary nouns of a text together; the earlier targets keep the rest in proportion.
    """
    targets, weights = table["targets"].to_list(), table["target_weights"].to_list()
    for row, result in enumerate(checked):
        if n := len(result.others):
            targets[row] = [*targets[row], *result.others]
            weights[row] = [*((1 - share) * weight for weight in weights[row]), *[share / n] * n]
    table = table.with_columns(
        pl.Series("targets", targets, table.schema["targets"]),
        pl.Series("target_weights", weights, table.schema["target_weights"]),
    )
    return table.filter(pl.Series([result.fault is None for result in checked], dtype=pl.Boolean))


def _plain(reading: ReadText, targets: Sequence[int]) -> tuple[str, ...]:
    """The words that tell captions apart; a target's form is replaced by its number, so that spellings are one."""
    words = [word.bare for word in reading.words]
    for place, noun in enumerate(targets):
        for mention, use in reading.of(noun):
            words[mention.first] = f"#{place}{'' if use.singular else 's'}"
            words[mention.first + 1 : mention.stop] = [""] * (mention.stop - mention.first - 1)
    return tuple(word for word in words if word and word not in _DETERMINERS)


def _disagrees(reading: ReadText, first: int, stop: int, use: FormUse) -> bool:
    """Whether "a" stands right before a plural or "two" before a singular, and no other word follows the noun.

    A word behind it may be what the determiner belongs to: "a sports car", "two dog sleds".
    """
    if first == 0 or reading.joined(stop - 1) or not reading.joined(first - 1):
        return False
    before = reading.words[first - 1].canon
    return (before in _ONE and not use.singular) or (before in _MANY and not use.plural)
