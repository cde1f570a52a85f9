"""A vocabulary in the published JSON layout: out of a lexicon, and into one.

The file is a list of entries with `id`, `target_noun` (letters, digits, spaces), `pretty_noun`, `singulars` and
`plurals` with a whole weight for each in `singulars_freq` and `plurals_freq`, and `hypernyms`, which is always empty.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pydantic
from pydantic import BaseModel, ConfigDict, Field

from nounflow.errors import NounflowError
from nounflow.files import read_json, sha256_text
from nounflow.nouns.frequencies import SLOPE, THRESHOLD
from nounflow.nouns.selection import LEAST, SenseOrder, kind_of
from nounflow.nouns.visualness import Verdict
from nounflow.schemas.documents import first_problem
from nounflow.schemas.tables import LEXICON
from nounflow.senses import WordSense, WordSenses
from nounflow.text import canon
from nounflow.wordnet import WordNet

_FORM = r"^[A-Za-z0-9][A-Za-z0-9 './-]*$"
_Form = pydantic.constr(pattern=_FORM)
_Weight = pydantic.conint(ge=1, le=1_000_000, strict=True)


class Entry(BaseModel):
    """One entry of the file."""

    model_config = ConfigDict(extra="forbid")

    id: int = Field(ge=0)
    target_noun: str = Field(pattern=r"^[a-z0-9]+( [a-z0-9]+)*$")
    pretty_noun: _Form  # type: ignore[valid-type]
    singulars: list[_Form]  # type: ignore[valid-type]
    singulars_freq: list[_Weight]  # type: ignore[valid-type]
    plurals: list[_Form]  # type: ignore[valid-type]
    plurals_freq: list[_Weight]  # type: ignore[valid-type]
    hypernyms: list[int] = []

    @pydantic.model_validator(mode="after")
    def _whole(self) -> "Entry":
        if len(self.singulars) != len(self.singulars_freq) or len(self.plurals) != len(self.plurals_freq):
            raise ValueError("each form needs one weight")
        if not self.singulars and not self.plurals:
            raise ValueError("it has no form")
        if canon(self.pretty_noun) != self.target_noun:
            raise ValueError("pretty_noun is no spelling of target_noun")
        return self


def published_entries(table: pl.DataFrame) -> list[dict[str, Any]]:
    """The entries of a lexicon, sorted by target noun; a form's weight is its part of the noun's, 1 at least."""
    entries = []
    for row in table.sort("canon").iter_rows(named=True):
        entry = {"id": row["id"], "target_noun": row["canon"], "pretty_noun": row["noun"]}
        for number in ("singular", "plural"):
            weighed = sorted(zip(row[f"{number}s"], row[f"{number}_shares"], strict=True))
            entry[f"{number}s"] = [form for form, _ in weighed]
            entry[f"{number}s_freq"] = [max(1, round(row["weight"] * share)) for _, share in weighed]
        entries.append({**entry, "hypernyms": []})
    return entries


def read_vocabulary(path: Path) -> list[Entry]:
    """Read and check a vocabulary.

    Raises:
        NounflowError: no such file, no JSON, another layout, or a noun that stands twice, with the entry's number.
    """
    content = read_json(path, "vocabulary", "check its path and its text")
    if not isinstance(content, list) or not content:
        raise NounflowError(
            "A vocabulary is a JSON list of nouns", where=path, fix="name a file of the published layout"
        )
    entries, places = [], dict[str, int]()
    for number, value in enumerate(content):
        try:
            entry = Entry.model_validate(value)
        except pydantic.ValidationError as error:
            what = f"Not a noun of a vocabulary: {first_problem(error)}"
            raise NounflowError(what, where=f"{path}, entry {number}", fix="mend the entry") from None
        if (before := places.setdefault(entry.target_noun, number)) != number:
            raise NounflowError(
                f"The vocabulary has '{entry.target_noun}' twice: entries {before} and {number}",
                where=path,
                fix="delete one of them",
            )
        entries.append(entry)
    return entries


def lexicon_of(
    entries: Sequence[Entry], words: WordSenses, order: SenseOrder, verdicts: dict[str, Verdict]
) -> tuple[pl.DataFrame, list[str]]:
    """A lexicon of schema `LEXICON`, and the target nouns that WordNet does not know.

    Forms and weights are the file's. Senses are WordNet's, photographable ones if there are any, in the order of
    ours; a noun that WordNet lacks is placed by its last word ("acai bowl" is a bowl), or has no sense.
    """
    rows, unknown = [], []
    for number, entry in enumerate(sorted(entries, key=lambda entry: entry.target_noun)):
        name = entry.target_noun
        senses = _senses(name, words, order, verdicts)
        if not senses:
            unknown.append(name)
        heads = _senses(name.rpartition(" ")[2], words, order, verdicts)
        meaning = _meaning(name, senses, heads, words.wordnet, verdicts)
        total = sum(entry.singulars_freq) + sum(entry.plurals_freq)
        rows.append(
            {
                "id": number, "key": sha256_text(name)[:16], "noun": entry.pretty_noun, "canon": name,
                "singulars": entry.singulars, "singular_shares": [weight / total for weight in entry.singulars_freq],
                "plurals": entry.plurals, "plural_shares": [weight / total for weight in entry.plurals_freq],
                "countability": "count" if entry.singulars else "plural",
                "frequency": _frequency(total), "weight": float(total),
                **meaning,
            }
        )  # fmt: skip
    return pl.DataFrame(rows, infer_schema_length=None).select(LEXICON.names), unknown


def _frequency(weight: int) -> float:
    """Relative to "the", of which a noun has one use at most; a weight of 2 may stand for no evidence."""
    return min(1.0, THRESHOLD * math.exp(min((weight - 1) / SLOPE, 100.0))) if weight > 2 else 0.0


def _senses(name: str, words: WordSenses, order: SenseOrder, verdicts: dict[str, Verdict]) -> list[WordSense]:
    readings = [name] if words.knows(name) else words.singulars(name)[:1]  # "jeans"
    found = [sense for reading in readings for sense in words.by_mass(reading)]
    senses = sorted(found, key=lambda sense: order.rank(name, sense))
    return [sense for sense in senses if verdicts[sense.synset.id].score >= LEAST] or senses


def _meaning(
    name: str,
    senses: Sequence[WordSense],
    heads: Sequence[WordSense],
    wordnet: WordNet,
    verdicts: dict[str, Verdict],
) -> dict[str, Any]:
    """The columns that say what a noun means: by its own senses, else below its last word's first sense."""
    if not senses and not heads:
        nothing: dict[str, Any] = {"synsets": [], "sense_keys": [], "hypernyms": [], "hypernym_synsets": []}
        return {**nothing, "kind": "artifact", "gloss": "", "group": "", "aliases": [], "visualness": None}
    first = (senses or heads)[0].synset
    above = wordnet.hypernym_chain(first.id)
    return {
        "kind": kind_of(first), "gloss": first.gloss if senses else f"a kind of {first.lemmas[0]}",
        "synsets": [sense.synset.id for sense in senses], "sense_keys": [sense.key for sense in senses],
        "hypernyms": [synset.lemmas[0] for synset in (above if senses else (first, *above))],
        "hypernym_synsets": [synset.id for synset in (above if senses else (first, *above))],
        "group": first.id if senses else "",
        "aliases": [word for word in first.lemmas if senses and canon(word) != name],
        "visualness": verdicts[first.id].score,
    }  # fmt: skip
