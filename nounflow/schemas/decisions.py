"""Records of a decision log: who called which noun of which picture what, and what was taken back. Only ever appended.

A noun is judged at a place: a picture, a box of it, or the set of nouns that a picture was given, each by itself.

A log is a set of records: their order in a file says nothing, `time` does, so logs are merged by uniting them.
"""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, get_args

import pydantic
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from nounflow.errors import DamagedFileError
from nounflow.schemas.annotations import CATEGORIES
from nounflow.schemas.documents import first_problem

ABSTENTIONS = ("unsure", "skipped")  # unsure: cannot be told from this picture; skipped: asked again at the end
Category = Literal["correct_primary", "correct_secondary", "close_primary", "close_secondary", "incorrect"]
Answer = Category | Literal["unsure", "skipped"]

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Box = tuple[Annotated[int, Field(ge=0)], ...]  # x0, y0, x1, y1 in pixels of the upright picture
_SEVERAL = "several"
Place = Annotated[str, Field(pattern=rf"^[0-9a-f]{{64}}(-\d+-\d+-\d+-\d+|-{_SEVERAL})?$")]
Id = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Time = Annotated[
    str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$")
]  # fixed width: text order is time order
AnnotatorName = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[^\x00-\x1f\x7f-\x9f]+$")]
_Words = Annotated[str, Field(max_length=4000)]


class _Draft(BaseModel):
    """What whoever judges makes; the log adds the time."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Id  # made with the draft, so that sending it twice leaves one record
    annotator: AnnotatorName
    tool: Annotated[str, Field(min_length=1, max_length=200)]  # program or rule, with its version


class DecisionDraft(_Draft):
    """A judgement of one noun on one picture. A later one by the same annotator replaces it."""

    kind: Literal["decision"]
    image: Digest  # sha256 of the picture's file
    box: Annotated[Box, Field(min_length=4, max_length=4)] | None = None  # judged is what is in it
    several: bool = False  # one of a set, all that apply: correct or incorrect, and nobody asks of what
    noun: _Words  # the empty noun is one that a decoder may say
    category: Answer
    label: Annotated[str, Field(max_length=40)] = ""  # the category's name in a project's own scheme; `category` counts
    review: bool = False  # of a reviewer, who saw what others said: stands above what they said
    votes: dict[Category, Annotated[int, Field(ge=1)]] = {}  # where a judge asked several times
    evidence: _Words = ""  # a person's note, a rule's reason, a model's description
    image_set: Annotated[str, Field(max_length=200)] = ""  # where the picture was met: information, no key
    file: _Words = ""

    @property
    def place(self) -> str:
        """What the noun was judged of: see `place_of`."""
        return place_of(self.image, self.box, self.several)


class MarkDraft(_Draft):
    """Takes a decision back, or lets it stand again; the latest mark of a decision counts."""

    kind: Literal["undo", "redo"]
    target: Id  # the decision's id


class Decision(DecisionDraft):
    """A judgement as the log holds it."""

    time: Time


class Mark(MarkDraft):
    """An undo or redo as the log holds it."""

    time: Time


Draft = Annotated[DecisionDraft | MarkDraft, Field(discriminator="kind")]
Record = Annotated[Decision | Mark, Field(discriminator="kind")]
_RECORD: TypeAdapter[Decision | Mark] = TypeAdapter(Record)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
assert get_args(Category) == CATEGORIES


def stamp(draft: DecisionDraft | MarkDraft, time: str) -> Decision | Mark:
    """The record that a draft becomes at a time."""
    values = draft.model_dump() | {"time": time}
    return Decision.model_construct(**values) if draft.kind == "decision" else Mark.model_construct(**values)


def place_of(image: str, box: Box | None = None, several: bool = False) -> str:
    """A picture's digest; with a box, or for a set of nouns, more words behind it."""
    return "-".join([image, *map(str, box or ()), *([_SEVERAL] if several and not box else [])])


def asked_at(place: str) -> dict[str, Any]:
    """The fields of a record that make its place."""
    image, *further = place.split("-")
    if further == [_SEVERAL]:
        return {"image": image, "several": True}
    return {"image": image} | ({"box": tuple(map(int, further))} if further else {})


def time_text(microseconds: int) -> str:
    """Microseconds since 1970 as a record's time."""
    return (_EPOCH + timedelta(microseconds=microseconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def microseconds(time: str) -> int:
    """A record's time as microseconds since 1970."""
    return (datetime.fromisoformat(time) - _EPOCH) // timedelta(microseconds=1)


def record_line(record: Decision | Mark) -> str:
    """A record as a line of JSON, keys in the order of the schema, what is empty left out."""
    return record.model_dump_json(exclude_defaults=True)


def parse_record(line: str | bytes, where: object) -> Decision | Mark:
    """Check a line that `record_line` wrote.

    Raises:
        DamagedFileError: the line is no record; `where` names the file and line.
    """
    try:
        return _RECORD.validate_json(line)
    except pydantic.ValidationError as error:
        what = f"Not a record of a decision log: {first_problem(error)}"
        raise DamagedFileError(what, where=where, fix="restore the log from a copy") from None
