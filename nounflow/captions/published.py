"""Captions in the published JSON layout: a list of nouns with their forms and caption templates.

An entry has `target_noun`, `pretty_noun`, `singulars`, `plurals`, `singular_captions` and `plural_captions`; a caption
has one or more places `{singular}` or `{plural}` and no final full stop.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import pydantic
from pydantic import BaseModel, ConfigDict

from nounflow.captions.mentions import FormIndex
from nounflow.captions.table import Rows, merge_equal_texts, record_nouns
from nounflow.counts import Counts
from nounflow.errors import NounflowError
from nounflow.files import read_json
from nounflow.text import canon, indefinite_article

_ARTICLE = re.compile(r"\b(an?) (?=\{singular\})", re.IGNORECASE)
_BRACES = re.compile(r"[{}]")
_END = ".,?!:"


class PublishedNoun(BaseModel):
    """One entry; keys that are not needed are not read."""

    model_config = ConfigDict(frozen=True)

    target_noun: str
    pretty_noun: str = ""
    singulars: tuple[str, ...] = ()
    plurals: tuple[str, ...] = ()
    singular_captions: tuple[str, ...] = ()
    plural_captions: tuple[str, ...] = ()

    @property
    def forms(self) -> tuple[str, ...]:
        """All spellings, the most telling first, without repetition."""
        return tuple(dict.fromkeys(filter(None, (self.target_noun, self.pretty_noun, *self.singulars, *self.plurals))))


@dataclass
class _Tally:
    """What became of the captions, by reason."""

    faults: dict[str, int] = field(default_factory=dict)
    further: int = 0  # texts beyond the first of a caption

    def fault(self, reason: str, n: int = 1) -> None:
        self.faults[reason] = self.faults.get(reason, 0) + n


def read_published(path: Path) -> list[PublishedNoun]:
    """Read a published captions file.

    Raises:
        NounflowError: no such file, no JSON, or another layout, with the entry's number.
    """
    entries = read_json(path, "file of published captions")
    if not isinstance(entries, list):
        raise NounflowError("A list of nouns is expected in the file of published captions", where=path)
    nouns = []
    for i, entry in enumerate(entries):
        try:
            nouns.append(PublishedNoun.model_validate(entry))
        except pydantic.ValidationError as error:
            first = error.errors()[0]
            raise NounflowError(
                f"Not a noun with captions: {'.'.join(map(str, first['loc']))}: {first['msg']}",
                where=f"{path}, entry {i}: {json.dumps(entry, ensure_ascii=False)[:120]}",
            ) from error
    return nouns


def match_nouns(entries: Sequence[PublishedNoun], index: FormIndex, canons: Sequence[str]) -> list[int | None]:
    """The lexicon's noun of each entry, None where it has none.

    An entry belongs to the noun whose name is its target; else to the noun that shares most of its forms, of those
    to the one with the most use.

    Args:
        entries: as read.
        index: forms of the lexicon.
        canons: normal spelling of each noun of the lexicon.
    """
    by_name = {spelling: noun for noun, spelling in enumerate(canons)}
    return [by_name.get(canon(entry.target_noun), _by_forms(entry, index)) for entry in entries]


def import_captions(
    nouns: pl.DataFrame, entries: Sequence[PublishedNoun]
) -> tuple[pl.DataFrame, Counts, list[PublishedNoun]]:
    """Published captions as a table of schema `CAPTIONS`, the counts, and the entries without a noun in the lexicon.

    Each caption is written with each form that the lexicon has in its number. A noun's sampling weights sum to its
    weight in the lexicon, shared by form share and equally over the captions of a number. Articles before the place
    are mended, a full stop is added. `template` is published-singular or published-plural.
    """
    matches = match_nouns(entries, FormIndex(nouns), nouns["canon"].to_list())
    by_noun: dict[int, list[PublishedNoun]] = {}
    unmatched = []
    for entry, noun in zip(entries, matches, strict=True):
        if noun is None:
            unmatched.append(entry)
        else:
            by_noun.setdefault(noun, []).append(entry)
    tally = _Tally()
    rows = Rows()
    lexicon = nouns.rows(named=True)
    for noun in sorted(by_noun):
        _add_noun(rows, lexicon[noun], by_noun[noun], tally)
    lost = sum(len(entry.singular_captions) + len(entry.plural_captions) for entry in unmatched)
    tally.fault("its noun is not in the lexicon", lost)
    frame = rows.frame()
    table = merge_equal_texts(frame)
    return table, _count(nouns, entries, unmatched, tally, (frame, table)), unmatched


def _by_forms(entry: PublishedNoun, index: FormIndex) -> int | None:
    shared: dict[int, list[float]] = {}
    for spelling in dict.fromkeys(canon(form) for form in entry.forms):
        for sense in index.senses(spelling):
            shared.setdefault(sense.noun, []).append(sense.mass)
    return max(shared, key=lambda noun: (len(shared[noun]), sum(shared[noun]), -noun), default=None)


def _add_noun(rows: Rows, noun: dict, entries: Sequence[PublishedNoun], tally: _Tally) -> None:
    """Append the captions of one noun of the lexicon."""
    numbers: list[tuple[str, list[str], list[tuple[str, float]]]] = []
    for number in ("singular", "plural"):
        templates = _templates(
            [text for entry in entries for text in getattr(entry, f"{number}_captions")], number, tally
        )
        pairs = zip(noun[f"{number}s"], noun[f"{number}_shares"], strict=True)
        forms = [(form, share) for form, share in pairs if share > 0]
        if templates and not forms:
            tally.fault(f"the noun has no {number} in the lexicon", len(templates))
        elif templates:
            numbers.append((number, templates, forms))
    used = sum(share for _, _, forms in numbers for _, share in forms)
    for number, templates, forms in numbers:
        for template in templates:
            for form, share in forms:
                weight = noun["weight"] * share / used / len(templates)
                rows.add(_fill(template, number, form), (noun["id"],), weight, f"published-{number}")
        tally.further += len(templates) * (len(forms) - 1)


def _templates(captions: Sequence[str], number: str, tally: _Tally) -> list[str]:
    """The sound ones of a noun's captions of one number, each once."""
    place = f"{{{number}}}"
    kept: dict[str, None] = {}
    for caption in captions:
        text = " ".join(caption.split()).rstrip(_END).rstrip()
        if place not in text:
            tally.fault("it has no place for the noun")
        elif _BRACES.search(text.replace(place, "")):
            tally.fault("it has other braces than the place for the noun")
        elif text in kept:
            tally.fault("the same as another caption of the noun")
        else:
            kept[text] = None
    return list(kept)


def _fill(template: str, number: str, form: str) -> str:
    def article(match: re.Match[str]) -> str:
        word = indefinite_article(form)
        return f"{word.capitalize() if match[1][0].isupper() else word} "

    text = _ARTICLE.sub(article, template).replace(f"{{{number}}}", form)
    return f"{text[0].upper()}{text[1:]}." if template.startswith("{") and form.islower() else f"{text}."


def _count(
    nouns: pl.DataFrame,
    entries: Sequence[PublishedNoun],
    unmatched: Sequence[PublishedNoun],
    tally: _Tally,
    tables: tuple[pl.DataFrame, pl.DataFrame],
) -> Counts:
    counts = Counts("captions")
    flow = counts.flow("published nouns", len(entries), "nouns of the file")
    flow.drop(len(unmatched), "no form of it is in the lexicon")
    flow.out(len(entries) - len(unmatched), "nouns of the file that the lexicon has")
    frame, table = tables
    asked = sum(len(entry.singular_captions) + len(entry.plural_captions) for entry in entries)
    flow = counts.flow("published captions", asked, "captions of the file")
    for reason, n in sorted(tally.faults.items()):
        flow.drop(n, reason)
    flow.add(tally.further, "written with a further form of the noun")
    flow.drop(len(frame) - len(table), "the same text as another one (merged: targets united, weights added)")
    flow.out(len(table), "distinct texts")
    record_nouns(counts, nouns, table, "the file has no caption of it")
    return counts
