"""Captions in the published JSON layout: a list of nouns with their forms and caption templates.

An entry has `target_noun`, `pretty_noun`, `singulars`, `plurals`, `singular_captions` and `plural_captions`; a caption
has one or more places `{singular}` or `{plural}` and no final full stop.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pydantic
from pydantic import BaseModel, ConfigDict

from nounflow.captions.json_list import read_json_list
from nounflow.captions.spool import Spool
from nounflow.captions.table import MERGED, CaptionDraft, Row, Written, frames, record_nouns
from nounflow.counts import Counts
from nounflow.errors import NounflowError
from nounflow.schemas.documents import first_problem
from nounflow.senses import LexiconForms
from nounflow.text import canon, indefinite_article

_ARTICLE = re.compile(r"\b(an?) (?=\{singular\})", re.IGNORECASE)
_BRACES = re.compile(r"[{}]")
_END = ".,?!:"


class PublishedNoun(BaseModel):
    """One entry; keys that are not needed are not read."""

    model_config = ConfigDict(frozen=True)

    target_noun: str
    pretty_noun: str = ""
    singulars: list[str] = []
    plurals: list[str] = []
    singular_captions: list[str] = []
    plural_captions: list[str] = []

    @property
    def forms(self) -> tuple[str, ...]:
        """All spellings, the most telling first, without repetition."""
        return tuple(dict.fromkeys(filter(None, (self.target_noun, self.pretty_noun, *self.singulars, *self.plurals))))


@dataclass
class _Tally:
    """What became of nouns and captions of the file."""

    nouns: int = 0
    captions: int = 0
    unmatched: list[str] = field(default_factory=list)  # target nouns
    faults: Counter[str] = field(default_factory=Counter)
    further: int = 0  # texts beyond the first of a caption


def read_published(path: Path) -> Iterator[PublishedNoun]:
    """The entries of a published captions file, one at a time.

    Raises:
        NounflowError: no such file, no JSON, or another layout, with the entry's number.
    """
    for i, entry in enumerate(read_json_list(path, "file of published captions")):
        try:
            yield PublishedNoun.model_validate(entry)
        except pydantic.ValidationError as error:
            wrong = first_problem(error) if isinstance(entry, dict) else "an object is expected"
            raise NounflowError(
                f"Not a noun with captions: {wrong}",
                where=f"{path}, entry {i}: {json.dumps(entry, ensure_ascii=False)[:120]}",
            ) from error


def noun_of(entry: PublishedNoun, names: Mapping[str, int], forms: LexiconForms) -> int | None:
    """Id of the lexicon's noun of an entry, None where there is none.

    An entry belongs to the noun whose name is its target; else to the noun that shares most of its forms, of those
    to the one with the most use. `names`: canon -> noun id.
    """
    if (noun := names.get(canon(entry.target_noun))) is not None:
        return noun
    shared: dict[int, list[float]] = {}
    for spelling in dict.fromkeys(map(canon, entry.forms)):
        for use in forms.uses(spelling):
            shared.setdefault(use.noun, []).append(use.mass)
    return max(shared, key=lambda noun: (len(shared[noun]), sum(shared[noun]), -noun), default=None)


def import_captions(
    nouns: pl.DataFrame, entries: Iterable[PublishedNoun], spool: Spool
) -> tuple[CaptionDraft, list[str]]:
    """Published captions as a draft, and the target nouns of the entries without a noun in the lexicon.

    Each caption is written with each form that the lexicon has in its number. A noun's sampling weights sum to its
    weight in the lexicon, shared by form share and equally over the captions of a number. Articles before the place
    are mended, a full stop is added. `template` is published-singular or published-plural.

    Args:
        entries: gone through at once; the captions that match go to the spool.
        spool: must stay open until the draft is written.
    """
    names, forms, tally = dict(nouns.select("canon", "id").iter_rows()), LexiconForms(nouns), _Tally()
    found: set[int] = set()
    for entry in entries:
        tally.nouns += 1
        n = len(entry.singular_captions) + len(entry.plural_captions)
        tally.captions += n
        noun = noun_of(entry, names, forms)
        if noun is None:
            tally.unmatched.append(entry.target_noun)
            tally.faults["its noun is not in the lexicon"] += n
        else:
            found.add(noun)
            spool.append(noun, entry.model_dump_json().encode())
    batches = frames(_rows(nouns, sorted(found), spool, tally))
    return CaptionDraft(batches, partial(_count, len(nouns), tally)), tally.unmatched


def _rows(nouns: pl.DataFrame, found: list[int], spool: Spool, tally: _Tally) -> Iterator[Row]:
    made = False
    for noun in found:
        entries = [PublishedNoun.model_validate_json(piece) for piece in spool.pieces(noun)]
        for row in _rows_of(nouns.row(noun, named=True), entries, tally):
            made = True
            yield row
    if not made:
        reasons = ", ".join(f"{reason}: {n:,}" for reason, n in tally.faults.most_common())
        raise NounflowError(
            f"Not one of the {tally.captions:,} published captions can be used",
            where=reasons or "no captions in the file",
            fix="check that the file has the published layout and is for this lexicon",
        )


def _rows_of(noun: dict[str, Any], entries: Sequence[PublishedNoun], tally: _Tally) -> Iterator[Row]:
    """The captions of one noun of the lexicon."""
    numbers: list[tuple[str, list[str], list[tuple[str, float]]]] = []
    for number in ("singular", "plural"):
        captions = [text for entry in entries for text in getattr(entry, f"{number}_captions")]
        templates = _templates(captions, f"{{{number}}}", tally)
        pairs = zip(noun[f"{number}s"], noun[f"{number}_shares"], strict=True)
        forms = [(form, share) for form, share in pairs if share > 0]
        if templates and not forms:
            tally.faults[f"the noun has no {number} in the lexicon"] += len(templates)
        elif templates:
            numbers.append((number, templates, forms))
            tally.further += len(templates) * (len(forms) - 1)
    used = sum(share for _, _, forms in numbers for _, share in forms)
    for number, templates, forms in numbers:
        for template in templates:
            for form, share in forms:
                weight = noun["weight"] * share / used / len(templates)
                yield _fill(template, f"{{{number}}}", form), (noun["id"],), weight, f"published-{number}"


def _templates(captions: Sequence[str], place: str, tally: _Tally) -> list[str]:
    """The sound ones of a noun's captions of one number, each once."""
    kept: dict[str, None] = {}
    for caption in captions:
        text = " ".join(caption.split()).rstrip(_END).rstrip()
        if place not in text:
            tally.faults["it has no place for the noun"] += 1
        elif _BRACES.search(text.replace(place, "")):
            tally.faults["it has other braces than the place for the noun"] += 1
        elif text in kept:
            tally.faults["the same as another caption of the noun"] += 1
        else:
            kept[text] = None
    return list(kept)


def _fill(template: str, place: str, form: str) -> str:
    article = indefinite_article(form)
    text = _ARTICLE.sub(lambda match: f"{article.capitalize() if match[1][0].isupper() else article} ", template)
    text = text.replace(place, form)
    return f"{text[0].upper()}{text[1:]}." if template.startswith("{") and form.islower() else f"{text}."


def _count(nouns: int, tally: _Tally, written: Written) -> Counts:
    counts = Counts("captions")
    flow = counts.flow("published nouns", tally.nouns, "nouns of the file")
    flow.drop(len(tally.unmatched), "no form of it is in the lexicon")
    flow.out(tally.nouns - len(tally.unmatched), "nouns of the file that the lexicon has")
    flow = counts.flow("published captions", tally.captions, "captions of the file")
    for reason, n in sorted(tally.faults.items()):
        flow.drop(n, reason)
    flow.add(tally.further, "written with a further form of the noun")
    flow.drop(written.rows - written.texts, MERGED)
    flow.out(written.texts, "distinct texts")
    record_nouns(counts, nouns, written, "the file has no caption of it")
    return counts
