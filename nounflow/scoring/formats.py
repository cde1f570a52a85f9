"""The score table as Markdown and LaTeX, in percent; each score with its interval and, if need be, its bound."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from nounflow.errors import NounflowError
from nounflow.scoring.published import MARK, PublishedRow
from nounflow.scoring.results import Comparison, Scores
from nounflow.scoring.table import ScoreRow, bounded, judge, percent, points_interval

_HEADINGS = (
    *("run", "predictor", "image set", "judge", "n", "judged", "prediction", "primary", "overall"),
    *("top-1", "top-5", "synonyms", "nearness", "nouns", "minus retrieval", "p"),
)
_TEXT_COLUMNS = 4
_LATEX = {
    **{character: f"\\{character}" for character in "_%&#${}"},
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
    **{"–": "--", "−": "$-$", "<": "$<$", ">": "$>$", "κ": r"$\kappa$"},
}


class Table(NamedTuple):
    """A table to be written."""

    caption: str
    headings: Sequence[str]
    cells: list[list[str]]
    text_columns: int  # the first so many are words, the others figures


def score_cells(row: ScoreRow) -> list[str]:
    """The cells of a row, in the order of the headings."""
    return [
        *(row.run, row.predictor, row.image_set, judge(row), f"{row.n}", percent(row.coverage)),
        *(bounded(row, name) for name in ("prediction_score", "primary_score", "overall_score")),
        *(bounded(row, name) for name in ("top1_correct", "top5_correct", "synonym_score")),
        *(percent(row.hierarchical_score), f"{row.distinct_nouns}"),
        *(difference_cells(row.difference_to_retrieval, row.difference_low, row.difference_high, row.difference_p)),
    ]


def difference_cells(
    difference: float | None, low: float | None, high: float | None, p: float | None
) -> tuple[str, str]:
    """A difference in points with its interval, and its p-value."""
    return points_interval(difference, low, high), "–" if difference is None else p_value(p)


def p_value(p: float | None) -> str:
    """ "0.034", "<0.001" """
    if p is None:
        return "–"
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def markdown(rows: Sequence[ScoreRow], published: Sequence[PublishedRow] = ()) -> str:
    """A table in GitHub's Markdown, and the published rows in one of their own."""
    return "\n".join(map(markdown_table, _tables(rows, published)))


def latex(rows: Sequence[ScoreRow], published: Sequence[PublishedRow] = ()) -> str:
    """Tables for the package booktabs."""
    return "\n".join(map(latex_table, _tables(rows, published)))


class Against(NamedTuple):
    """A run's prediction score minus another's, as fractions, with the paired 95 % interval."""

    run: str
    against: str
    image_set: str
    annotator: str
    difference: float
    low: float
    high: float
    p: float
    p_holm: float  # corrected for all pairs of runs on this image set under this annotator


def against(scores: Scores, run: str) -> list[Against]:
    """Every run's difference to one run.

    Raises:
        NounflowError: no run of that name was scored.
    """
    known = sorted({name for one in scores.comparisons for name in one.runs})
    if run not in known:
        raise NounflowError(
            f"No run that was judged is called '{run}'",
            fix=f"take one of {', '.join(known)}" if known else "nothing is judged yet: see docs/annotations.md",
        )
    held = [one for one in scores.comparisons if run in one.runs]
    return [found for one in held for found in _against(one, one.runs.index(run))]


def _against(one: Comparison, j: int) -> list[Against]:
    figures = (one.difference, one.low, one.high, one.p, one.p_holm)
    return [
        Against(name, one.runs[j], one.image_set, one.annotator, *(matrix[i][j] for matrix in figures))
        for i, name in enumerate(one.runs)
        if i != j
    ]


def against_table(rows: Sequence[Against], run: str) -> Table:
    """The differences in points."""
    headings = ("run", "image set", "judge", f"minus {run}", "p", "p (Holm)")
    cells = [
        [
            *(row.run, row.image_set, row.annotator),
            *difference_cells(row.difference, row.low, row.high, row.p),
            p_value(row.p_holm),
        ]
        for row in rows
    ]
    return Table("Difference of prediction scores in points, with paired 95 % bootstrap intervals", headings, cells, 3)


def _tables(rows: Sequence[ScoreRow], published: Sequence[PublishedRow]) -> list[Table]:
    cells = [score_cells(row) for row in rows]
    tables = [Table("Scores in percent, with 95 % bootstrap intervals over images", _HEADINGS, cells, _TEXT_COLUMNS)]
    return [*tables, published_table(published)] if published else tables


def published_table(rows: Sequence[PublishedRow]) -> Table:
    """Scores that others published, marked as such."""
    return Table(f"NOVIC paper: {MARK}, without intervals", PUBLISHED_HEADINGS, published_cells(rows), 2)


PUBLISHED_HEADINGS = ("model", "image set", "nouns known", "nouns used", "primary", "prediction", "overall")


def published_cells(rows: Sequence[PublishedRow]) -> list[list[str]]:
    """The cells of the published rows, two decimals as published."""
    return [
        [
            *(row.model, row.image_set, f"{row.nouns}", f"{row.distinct_nouns}"),
            *(f"{100 * value:.2f}" for value in (row.primary_score, row.prediction_score, row.overall_score)),
        ]
        for row in rows
    ]


def markdown_table(table: Table) -> str:
    """A table in GitHub's Markdown."""
    caption, headings, cells, text = table
    lines = [f"{caption}.", "", "| " + " | ".join(headings) + " |"]
    lines.append("|" + "|".join("---" if i < text else "---:" for i in range(len(headings))) + "|")
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in cells]
    return "\n".join(lines) + "\n"


def latex_table(table: Table) -> str:
    """A table for the package booktabs."""
    caption, headings, cells, text = table
    columns = "l" * text + "r" * (len(headings) - text)
    body = [" & ".join(map(_escaped, row)) + r" \\" for row in cells]
    return "\n".join(
        [
            rf"% {caption}. Needs \usepackage{{booktabs}}.",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            " & ".join(map(_escaped, headings)) + r" \\",
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )


def _escaped(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)
