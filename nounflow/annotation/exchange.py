"""Other forms of judgements, in and out: the published five lists, the published state of votes, our own annotations.

Everything becomes records of a decision log. Their ids follow from what is imported, so importing twice adds nothing.
"""

import csv
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pydantic

from nounflow.annotation.votes import VotingRule, verdict
from nounflow.counts import Counts
from nounflow.errors import DamagedFileError, NounflowError
from nounflow.escaping import spreadsheet_cell, unguarded
from nounflow.files import read_json, sha256_text, write_text
from nounflow.image_names import plain_name
from nounflow.schemas.annotations import CATEGORIES, Annotations, ImageAnnotations
from nounflow.schemas.decisions import Decision
from nounflow.schemas.documents import first_problem

_LONGEST = 4000  # characters of evidence


class ImportedJudgement(NamedTuple):
    """One judgement of an imported file."""

    file: str
    noun: str
    category: str
    votes: Mapping[str, int] = MappingProxyType({})
    evidence: str = ""


class ImportedDecisions(NamedTuple):
    """What a file of judgements holds, and what it says of itself (empty where it says nothing)."""

    judged: list[ImportedJudgement]
    annotator: str = ""
    tool: str = ""
    image_set: str = ""


class DecisionOrigin(NamedTuple):
    """Whose judgements these are, and by what means they came about."""

    annotator: str
    tool: str
    image_set: str
    time: str  # of the judgements, as far as known


def read_judgements(path: Path, counts: Counts) -> ImportedDecisions:
    """The judgements of a JSON file in any of the three forms; a noun in two lists gives two, contradicting each other.

    Beside our own annotations, the reasons in `{annotator}.reasons.tsv` become their evidence.

    Raises:
        NounflowError: the file is missing.
        DamagedFileError: it is of none of the three forms, or names a picture twice.
    """
    value = read_json(path, "file of judgements", "check the path, mend it or restore it from a copy", _without_doubles)
    if not isinstance(value, dict):
        raise DamagedFileError("The file holds no JSON object", where=path, fix="name a file of judgements")
    try:
        if "_meta" in value and "annotations" in value:
            return _from_votes(_Votes.model_validate(value), counts)
        if "image_set" in value:
            document = Annotations.model_validate(value)
            judged = _judged(document.images, read_reasons(path.with_suffix(".reasons.tsv")))
            imported = ImportedDecisions(judged, document.annotator, document.rule, document.image_set)
        else:
            lists = {file: ImageAnnotations.model_validate(lists) for file, lists in value.items()}
            imported = ImportedDecisions(_judged(lists, {}))
    except (pydantic.ValidationError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise DamagedFileError(
            f"The file holds neither five lists of nouns an image nor a state of votes ({first_line(error)})",
            where=path,
            fix="a key an image, and in it lists named " + ", ".join(CATEGORIES),
        ) from None
    counts.flow("lists", len(imported.judged), "judgements").out(len(imported.judged))
    return imported


def read_reasons(path: Path) -> dict[tuple[str, str], str]:
    """(image, noun), both as cells -> why, from a rule's table of reasons; empty where there is none."""
    if not path.is_file():
        return {}
    with open(path, encoding="utf-8", newline="") as handle:
        rows = csv.DictReader(handle, delimiter="\t")
        return {(row["image"], row["noun"]): unguarded(row["reason"]) for row in rows}


def records_of(
    judged: Sequence[ImportedJudgement], digests: Mapping[str, str], origin: DecisionOrigin, counts: Counts
) -> list[Decision]:
    """Judgements as records; those on a file that is not among `digests` (file -> sha256) are counted out."""
    flow = counts.flow("records", len(judged), "judgements")
    known = [one for one in judged if one.file in digests]
    flow.drop(len(judged) - len(known), "no such picture in the image folder")
    records = [_record(one, digests[one.file], origin) for one in known]
    distinct = {record.id: record for record in records}
    flow.drop(len(records) - len(distinct), "said twice")
    flow.out(len(distinct), "records")
    return list(distinct.values())


def write_five_lists(path: Path, images: Mapping[str, ImageAnnotations]) -> None:
    """The published layout: a picture's five lists, a line each."""
    blocks = []
    for file, lists in images.items():
        lines = [
            f'    "{category}": {json.dumps(getattr(lists, category), ensure_ascii=False)}' for category in CATEGORIES
        ]
        blocks.append(f"  {json.dumps(file, ensure_ascii=False)}: {{\n" + ",\n".join(lines) + "\n  }")
    write_text(path, "{\n" + ",\n".join(blocks) + "\n}\n" if blocks else "{}\n")


def _record(judged: ImportedJudgement, digest: str, origin: DecisionOrigin) -> Decision:
    evidence = judged.evidence[:_LONGEST]
    said = (origin.annotator, origin.tool, digest, judged.noun, judged.category, evidence)
    values = {
        "kind": "decision",
        "id": sha256_text(*said, json.dumps(dict(judged.votes), sort_keys=True))[:32],
        "annotator": origin.annotator,
        "tool": origin.tool,
        "image": digest,
        "noun": judged.noun,
        "category": judged.category,
        "votes": dict(judged.votes),
        "evidence": evidence,
        "image_set": origin.image_set,
        "file": judged.file,
        "time": origin.time,
    }
    try:
        return Decision.model_validate(values)
    except pydantic.ValidationError as error:
        raise NounflowError(
            f"What is said of {judged.noun[:60]!a} on {judged.file!a} cannot be a record ({first_line(error)})",
            fix="mend it in the file, or pass another name with --annotator",
        ) from None


def _judged(images: Mapping[str, ImageAnnotations], reasons: Mapping[tuple[str, str], str]) -> list[ImportedJudgement]:
    def why(file: str, noun: str) -> str:
        return reasons.get((spreadsheet_cell(file), spreadsheet_cell(noun)), "")

    return [
        ImportedJudgement(plain_name(file), noun, category, evidence=why(file, noun))
        for file, lists in images.items()
        for category in CATEGORIES
        for noun in getattr(lists, category)
    ]


class _Meta(pydantic.BaseModel):
    opinions_min: int = pydantic.Field(VotingRule().least, ge=1)
    confidence: float = pydantic.Field(VotingRule().confidence, gt=0.5, le=1)
    model: str = ""


class _Votes(pydantic.BaseModel):
    meta: _Meta = pydantic.Field(alias="_meta")
    annotations: dict[str, dict[str, list[bool]]]
    descriptions: dict[str, dict[str, int]] = {}


def _from_votes(state: _Votes, counts: Counts) -> ImportedDecisions:
    """A pair with a confident share of votes is correct or incorrect, another one close."""
    least, rule = state.meta.opinions_min, VotingRule(confidence=state.meta.confidence)
    pairs = [(file, noun, votes) for file, nouns in state.annotations.items() for noun, votes in nouns.items()]
    flow = counts.flow("votes", len(pairs), "image-noun pairs")
    enough = [(file, noun, votes) for file, noun, votes in pairs if len(votes) >= least]
    flow.drop(len(pairs) - len(enough), f"fewer than {least} votes")
    flow.out(len(enough))
    judged = []
    for file, noun, votes in enough:
        right = sum(votes)
        cast = {"correct_primary": right, "incorrect": len(votes) - right}
        cast = {category: n for category, n in cast.items() if n}
        said = state.descriptions.get(file) or {"": 1}
        evidence = max(said, key=lambda text: (said[text], text))
        judged.append(ImportedJudgement(plain_name(file), noun, verdict(cast, rule), cast, evidence))
    return ImportedDecisions(judged, tool=state.meta.model)


def first_line(error: Exception) -> str:
    """What is wrong, in a line."""
    if isinstance(error, pydantic.ValidationError):
        return first_problem(error)
    return f"{type(error).__name__}: {error}".splitlines()[0]


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if doubled := [key for key, n in Counter(key for key, _ in pairs).items() if n > 1]:
        raise ValueError(f"a key stands twice: {doubled[0]}")
    return dict(pairs)
