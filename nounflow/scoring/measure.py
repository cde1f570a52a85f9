"""What an entry of `nounflow.scoring.measures.MEASURES` is."""

from collections.abc import Callable
from dataclasses import astuple, dataclass
from typing import Any, Literal

import numpy as np

from nounflow.scoring.evaluation import Evaluation
from nounflow.scoring.intervals import mean_interval
from nounflow.scoring.values import Values, mean_score

Number = float | int
# A number for each column, or of a score or a mean one value an image; None: there is nothing to compute them from.
Found = Number | tuple[Number, ...] | Values | np.ndarray | None
Function = Callable[[Evaluation, str], Found]  # of an evaluation and a run's name
Format = Literal[
    "score",  # a mean over images, a fraction; with its interval, and its bound if every unjudged noun were right
    "interval",  # a fraction with its interval
    "difference",  # of two fractions, written in points; with its interval and p-value
    "share",  # a fraction alone
    "count",
    "decimal",  # written with one digit
]
Place = Literal["tables", "terminal", "report"]  # tables: Markdown and LaTeX

_FURTHER: dict[Format, tuple[str, ...]] = {  # how the columns beside the value's end
    "score": ("low", "high", "if_unjudged_right"),
    "interval": ("low", "high"),
    "difference": ("low", "high", "p"),
}


@dataclass(frozen=True)
class Measure:
    """An entry: what is computed, and how it is shown."""

    function: Function  # its name is that of the column
    heading: str  # in tables and on the terminal
    format: Format  # what stands beside the value, and how all of it is written
    description: str  # what it says of a run
    report_heading: str = ""  # in the report, where that is another
    places: tuple[Place, ...] = ("tables", "terminal", "report")  # where it is shown; the files hold it in any case
    beside: tuple[str, ...] = ()  # columns beside the value's, where they are not named after it
    stream: str = ""  # name of the random numbers of a mean's interval, where it is not that of the column
    needs: Literal["", "hierarchy", "sentences", "by_language_model"] = ""  # what there is not in every evaluation

    @property
    def name(self) -> str:
        """Column of the value."""
        return self.function.__name__

    @property
    def columns(self) -> tuple[str, ...]:
        """Of the value, then of what stands beside it."""
        named = (f"{self.name}_{end}" for end in _FURTHER.get(self.format, ()))
        return self.name, *(self.beside or named)

    def cells(self, evaluation: Evaluation, run: str) -> dict[str, Number | None]:
        """The numbers of a run by column, all None where there is nothing to compute them from."""
        lacking = self.needs and not getattr(evaluation, self.needs)
        if lacking or (self.format == "score" and not evaluation.any_judged(run)):
            return dict.fromkeys(self.columns)
        found: Any = self.function(evaluation, run)
        rng = evaluation.stream(self.stream or self.name, run)
        if isinstance(found, Values):
            found = astuple(mean_score(found, rng))
        elif isinstance(found, np.ndarray):
            found = (float(found.mean()), *mean_interval(found, rng)) if len(found) else None
        if found is None:
            return dict.fromkeys(self.columns)
        return dict(zip(self.columns, found if isinstance(found, tuple) else (found,), strict=True))
