"""The tables that the commands print: scores in percent, differences to one run, what others published."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import NamedTuple

from nounflow.scoring.comparison import Against
from nounflow.scoring.measure import Measure
from nounflow.scoring.measures import shown
from nounflow.scoring.rows import ScoreRow
from nounflow.scoring.wording import cell, difference_cell, judge, p_value

MARK = "published, not measured here"


@dataclass(frozen=True)
class PublishedRow:
    """Scores that others published, from tables 3 and 7 of the NOVIC paper, to stand beside ours.

    Best of three training runs on an image set that people judged; fractions of 1, without intervals.
    """

    image_set: str
    model: str
    nouns: int  # that the model could say
    distinct_nouns: int  # that it did say
    primary_score: float
    prediction_score: float
    overall_score: float


def published_rows() -> list[PublishedRow]:
    """All of them, in the papers' order."""
    text = (resources.files("nounflow.scoring") / "published_scores.tsv").read_text(encoding="utf-8")
    return [
        PublishedRow(image_set, model, int(nouns), int(said), *(float(score) / 100 for score in scores))
        for image_set, model, nouns, said, *scores in [*csv.reader(text.splitlines(), delimiter="\t")][1:]
    ]


class Table(NamedTuple):
    """A table to be written."""

    caption: str
    headings: Sequence[str]
    cells: list[list[str]]
    text_columns: int  # the first so many are words, the others figures


def score_table(rows: Sequence[ScoreRow], further: Sequence[str] = ()) -> Table:
    """The scores with their intervals and, where nouns are unjudged, their bounds; `further`: measures to add."""
    measures = shown("tables", further)
    headings = ["run", "predictor", "image set", "judge", "n"]
    for measure in measures:
        headings += [measure.heading, "p"] if measure.format == "difference" else [measure.heading]
    cells = [
        [
            *(row.label, row.predictor, row.image_set, judge(row), str(row.n)),
            *(text for measure in measures for text in _cells(measure, row)),
        ]
        for row in rows
    ]
    return Table("Scores in percent, with 95 % bootstrap intervals over images", headings, cells, 4)


def _cells(measure: Measure, row: ScoreRow) -> list[str]:
    """One cell, of a difference two, the other its p-value."""
    found = cell(measure, row)
    match measure.format:
        case "score":
            return [found.with_interval + (f", at most {found.bound}" if found.bound else "")]
        case "difference":
            return [found.with_interval, found.p]
        case "interval":
            return [found.with_interval]
    return [found.value]


def against_table(rows: Sequence[Against], run: str) -> Table:
    """The differences in points."""
    headings = ("run", "image set", "judge", f"minus {run}", "p", "p (Holm)")
    cells = []
    for row in rows:
        found = difference_cell(row.difference, row.low, row.high, row.p)
        cells.append([row.run, row.image_set, row.annotator, found.with_interval, found.p, p_value(row.p_holm)])
    return Table("Difference of prediction scores in points, with paired 95 % bootstrap intervals", headings, cells, 3)


def published_table(rows: Sequence[PublishedRow]) -> Table:
    """Scores that others published, marked as such; two decimals as published."""
    headings = ("model", "image set", "nouns known", "nouns used", "primary", "prediction", "overall")
    cells = [
        [
            *(row.model, row.image_set, f"{row.nouns}", f"{row.distinct_nouns}"),
            *(f"{100 * value:.2f}" for value in (row.primary_score, row.prediction_score, row.overall_score)),
        ]
        for row in rows
    ]
    return Table(f"NOVIC paper: {MARK}, without intervals", headings, cells, 2)


_LATEX = {
    **{character: f"\\{character}" for character in "_%&#${}"},
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
    **{"–": "--", "−": "$-$", "<": "$<$", ">": "$>$", "κ": r"$\kappa$"},
}


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
