"""What an entry of `nounflow.scoring.measures.MEASURES` is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from nounflow.scoring.evaluation import Evaluation

Number = float | int
Found = Number | tuple[Number, ...] | None  # a number for each column; None: there is nothing to compute them from
Format = Literal[
    "score",  # a mean over images, a fraction; with its interval, and its bound if every unjudged noun were right
    "interval",  # a fraction with its interval
    "difference",  # of two fractions, written in points; with its interval and p-value
    "share",  # a fraction alone
    "count",
    "decimal",  # written with one digit
]
Place = Literal["tables", "terminal", "report"]  # tables: Markdown and LaTeX

_FURTHER: dict[Format, tuple[str, ...]] = {  # ends of the columns beside the value's
    "score": ("low", "high", "if_unjudged_right"),
    "interval": ("low", "high"),
    "difference": ("low", "high", "p"),
}


@dataclass(frozen=True)
class Measure:
    """An entry of the registry.

    Args:
        name: column of the value.
        heading: in tables and on the terminal.
        format: what there is beside the value, and how all of it is written.
        description: what it says of a run, for the reader of the report.
        function: of an evaluation and a run's name; one number, or one for each of `columns`.
        places: where it is shown; its columns are in the files in any case.
        report_heading: in the report, where that is another.
        columns: of the value, then of what stands beside it; made from `name` and `format` unless given.
    """

    name: str
    heading: str
    format: Format
    description: str
    function: Callable[[Evaluation, str], Found]
    places: tuple[Place, ...] = ("tables", "terminal", "report")
    report_heading: str = ""
    columns: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        further = (f"{self.name}_{end}" for end in _FURTHER.get(self.format, ()))
        object.__setattr__(self, "columns", self.columns or (self.name, *further))

    def cells(self, evaluation: Evaluation, run: str) -> dict[str, Number | None]:
        """The numbers of a run by column, all None where there is nothing to compute them from."""
        found = self.function(evaluation, run)
        if found is None:
            return dict.fromkeys(self.columns)
        return dict(zip(self.columns, found if isinstance(found, tuple) else (found,), strict=True))
