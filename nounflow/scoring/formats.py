"""The score table as Markdown and LaTeX, in percent; each score with its interval and, if need be, its bound."""

from __future__ import annotations

from collections.abc import Sequence

from nounflow.errors import NounflowError
from nounflow.scoring.published import MARK, PublishedRow
from nounflow.scoring.results import Comparison, Scores
from nounflow.scoring.table import ScoreRow, percent, percent_interval, points

_HEADINGS = (
    *("run", "predictor", "image set", "judge", "n", "judged", "prediction", "primary", "overall"),
    *("top-1", "top-5", "synonyms", "nearness", "nouns", "minus retrieval", "p"),
)
_TEXT_COLUMNS = 4
_LATEX = {
    **{character: f"\\{character}" for character in "_%&#${}"},
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
    **{"–": "--", "−": "$-$", "<": "$<$", ">": "$>$"},
}


def score_cells(row: ScoreRow) -> list[str]:
    """The cells of a row, in the order of the headings."""
    return [
        *(row.run, row.predictor, row.image_set, row.annotator or "–", f"{row.n}", percent(row.coverage)),
        *(bounded(row, name) for name in ("prediction_score", "primary_score", "overall_score")),
        *(bounded(row, name) for name in ("top1_correct", "top5_correct", "synonym_score")),
        *(percent(row.hierarchical_score), f"{row.distinct_nouns}"),
        *(difference_cells(row.difference_to_retrieval, row.difference_low, row.difference_high, row.difference_p)),
    ]


def bounded(row: ScoreRow, name: str) -> str:
    """A score with its interval, and where nouns are unjudged its bound: "24.1 [22.0, 26.3], at most 31.0"."""
    value = percent_interval(*(getattr(row, f"{name}{end}") for end in ("", "_low", "_high")))
    bound = getattr(row, f"{'score' if name == 'prediction_score' else name}_if_unjudged_right")
    if bound is None or row.coverage == 1:
        return value
    return f"{value}, at most {percent(bound)}"


def difference_cells(
    difference: float | None, low: float | None, high: float | None, p: float | None
) -> tuple[str, str]:
    """A difference in points with its interval, and its p-value."""
    if difference is None or low is None or high is None:
        return "–", "–"
    return f"{points(difference)} [{points(low)}, {points(high)}]", p_value(p)


def p_value(p: float | None) -> str:
    """ "0.034", "<0.001" """
    if p is None:
        return "–"
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def markdown(rows: Sequence[ScoreRow], published: Sequence[PublishedRow] = ()) -> str:
    """A table in GitHub's Markdown, and the published rows in one of their own."""
    return "\n\n".join(_markdown(*table) for table in _tables(rows, published)) + "\n"


def latex(rows: Sequence[ScoreRow], published: Sequence[PublishedRow] = ()) -> str:
    """Tables for the package booktabs."""
    return "\n\n".join(_latex(*table) for table in _tables(rows, published)) + "\n"


def against(scores: Scores, run: str) -> tuple[list[str], list[list[str]]]:
    """Headings and rows of every run's difference to one run.

    Raises:
        NounflowError: no run of that name was scored.
    """
    known = sorted({name for one in scores.comparisons for name in one.runs})
    if run not in known:
        raise NounflowError(f"No run that was scored is called '{run}'", fix=f"take one of {', '.join(known)}")
    headings = ["run", "image set", "judge", f"minus {run}", "p", "p (Holm)"]
    held = [one for one in scores.comparisons if run in one.runs]
    return headings, [cells for one in held for cells in _against(one, one.runs.index(run))]


def _against(one: Comparison, j: int) -> list[list[str]]:
    return [
        [
            *(name, one.image_set, one.annotator),
            *difference_cells(one.difference[i][j], one.low[i][j], one.high[i][j], one.p[i][j]),
            p_value(one.p_holm[i][j]),
        ]
        for i, name in enumerate(one.runs)
        if i != j
    ]


def _tables(
    rows: Sequence[ScoreRow], published: Sequence[PublishedRow]
) -> list[tuple[str, Sequence[str], list[list[str]], int]]:
    """Caption, headings, cells and number of text columns of each table."""
    caption = "Scores in percent, with 95 % bootstrap intervals over images"
    cells = [score_cells(row) for row in rows]
    tables: list[tuple[str, Sequence[str], list[list[str]], int]] = [(caption, _HEADINGS, cells, _TEXT_COLUMNS)]
    if published:
        tables.append((f"NOVIC paper: {MARK}, without intervals", PUBLISHED_HEADINGS, published_cells(published), 2))
    return tables


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


def _markdown(caption: str, headings: Sequence[str], cells: list[list[str]], text: int) -> str:
    lines = [f"{caption}.", "", "| " + " | ".join(headings) + " |"]
    lines.append("|" + "|".join("---" if i < text else "---:" for i in range(len(headings))) + "|")
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in cells]
    return "\n".join(lines)


def _latex(caption: str, headings: Sequence[str], cells: list[list[str]], text: int) -> str:
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
        ]
    )


def _escaped(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)
