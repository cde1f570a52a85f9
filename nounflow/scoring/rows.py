"""`scores.tsv`: its columns and rows, and reading and writing it."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pydantic
from pydantic import BaseModel, ConfigDict, model_serializer, model_validator
from pydantic_core import PydanticCustomError

from nounflow.config.modality_gaps import REHEARSAL
from nounflow.errors import DamagedFileError, NounflowError
from nounflow.escaping import unguarded
from nounflow.schemas.documents import first_problem
from nounflow.scoring.measures import MEASURES
from nounflow.spreadsheets import write_sheet

_MEASURED = tuple(column for measure in MEASURES for column in measure.columns)
_LATER = "hierarchical_precision"  # it and what follows came after the columns that are no measures
_KEYS = ("run", "image_set", "annotator", "n")  # without them a row says nothing


class ScoreRow(BaseModel):
    """One row: what it is of, and a number or None for each column of `MEASURES`, which are attributes too.

    Scores and shares are fractions of 1. A table of another version may have further columns, which are kept, and
    fewer, which are None.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    run: str
    predictor: str = ""
    lexicon: str = ""
    embedder: str = ""
    image_set: str
    annotator: str
    n: int  # all images of the set, unreadable ones included
    unreadable: int = 0
    retrieval_run: str = ""  # the run of the difference
    judge_kappa: float | None = None  # Cohen's, of the judge with people, on five categories
    judge_kappa_coarse: float | None = None  # on correct, close and incorrect
    judge_pairs: int | None = None  # nouns that both judged; empty where nothing was compared
    templates: str = ""  # digests, 12 digits: of the caption templates,
    class_list: str = ""  # of the nouns that could be said,
    preprocessing: str = ""  # of tokenizer and image transform,
    split: str = ""  # of the image files and their labels,
    config: str = ""  # of the run's settings
    seed: str = ""  # of the run

    @property
    def label(self) -> str:
        """The run's name; scores on a made-up gap are marked wherever they are shown."""
        return f"{self.run} (rehearsal, no CLIP)" if self.embedder.startswith(f"{REHEARSAL}:") else self.run

    if TYPE_CHECKING:

        def __getattr__(self, column: str) -> Any: ...  # a column of MEASURES

    @model_validator(mode="before")
    @classmethod
    def _with_every_measure(cls, cells: Any) -> Any:
        return dict.fromkeys(_MEASURED) | cells if isinstance(cells, dict) else cells

    @model_validator(mode="after")
    def _measures_are_numbers(self) -> "ScoreRow":
        for column in _MEASURED:
            if not isinstance(value := getattr(self, column), float | int | None):
                raise PydanticCustomError(
                    "number", "{column}: '{value}' is no number", {"column": column, "value": value}
                )
        return self

    @model_serializer(mode="wrap")
    def _in_order_of_columns(self, dump: Any) -> dict[str, Any]:
        cells: dict[str, Any] = dump(self)
        return {column: cells[column] for column in COLUMNS} | cells

    @property
    def name(self) -> str:
        """How `nounflow reproduce` calls it: run/image_set/annotator."""
        return "/".join(filter(None, (self.run, self.image_set, self.annotator)))

    @property
    def partly_judged(self) -> bool:
        """Are there first nouns that nobody judged?"""
        return bool(self.coverage is not None and self.coverage < 1)


# The order is that in which columns came to be: whoever reads by position finds the old ones in their places.
COLUMNS = tuple(
    dict.fromkeys(
        (
            *("run", "predictor", "lexicon", "embedder", "image_set", "annotator", "n", "coverage"),
            *("prediction_score", "prediction_score_low", "prediction_score_high"),
            *("primary_score", "top1_correct", "top5_correct", "distinct_nouns", "ceiling", "ms_per_image"),
            *("difference_to_retrieval", "difference_low", "difference_high"),
            *("unreadable", "score_if_unjudged_right", "retrieval_run", "difference_p"),
            *_MEASURED[: _MEASURED.index(_LATER)],
            *ScoreRow.model_fields,
            *_MEASURED,
        )
    )
)


def write_scores(path: Path, rows: Sequence[ScoreRow]) -> None:
    """Write the table atomically; numbers with six significant digits."""
    write_sheet(path, COLUMNS, ([getattr(row, column) for column in COLUMNS] for row in rows), digits=".6g", exact=True)


def read_scores(path: Path) -> list[ScoreRow]:
    """Read and check a table, of this version or another.

    Raises:
        NounflowError: there is none, a key column is missing, or a cell of a known column is no number.
    """
    fix = "run the scores stage again"
    try:
        with open(path, encoding="utf-8", newline="") as handle:
            reader = csv.DictReader(handle, delimiter="\t")
            if missing := [key for key in _KEYS if key not in (reader.fieldnames or ())]:
                columns = f"column{'s' if missing[1:] else ''} {', '.join(missing)}"
                raise DamagedFileError(f"The score table lacks the {columns}", where=path, fix=fix)
            cells = []
            for row in reader:
                if None in row or None in row.values():
                    what = f"Line {reader.line_num} of the score table has not as many cells as there are columns"
                    raise DamagedFileError(what, where=path, fix=fix)
                cells.append({column: _read(column, cell) for column, cell in row.items()})
    except FileNotFoundError:
        raise NounflowError("There is no score table", where=path, fix="run the scores stage first") from None
    except UnicodeDecodeError as error:
        raise DamagedFileError(f"The score table has a wrong cell: {error}", where=path, fix=fix) from None
    try:
        return [ScoreRow.model_validate(row) for row in cells]
    except pydantic.ValidationError as error:
        what = f"The score table has a wrong cell: {first_problem(error)}"
        raise DamagedFileError(what, where=path, fix=fix) from error


def _read(column: str, cell: str) -> str | float | None:
    """A cell as text where its column is one of text, else as a number where it can be read as one."""
    known = ScoreRow.model_fields.get(column)
    if known is not None and known.annotation is str:
        return unguarded(cell)
    for number in (int, float):
        try:
            return number(cell)
        except ValueError:
            continue
    return cell or None
