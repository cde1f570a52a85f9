"""`scores.tsv`: its columns, reading and writing it, and saying it in words and on a terminal."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pydantic
from pydantic import BaseModel, ConfigDict

from nounflow.errors import DamagedFileError, NounflowError
from nounflow.files import write_text

if TYPE_CHECKING:
    from rich.table import Table

_KEYS = (
    *("run", "predictor", "lexicon", "embedder", "image_set", "annotator", "retrieval_run"),
    *("templates", "class_list", "preprocessing", "split", "config", "seed"),
)


class ScoreRow(BaseModel):
    """One row. Scores and shares are fractions of 1; an empty cell says that there is nothing to compute it from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    run: str
    predictor: str
    lexicon: str
    embedder: str
    image_set: str
    annotator: str
    n: int  # all images of the set, unreadable ones included
    coverage: float  # share of the answered images whose first noun is judged
    prediction_score: float | None = None
    prediction_score_low: float | None = None  # 95 % bootstrap over images
    prediction_score_high: float | None = None
    primary_score: float | None = None
    top1_correct: float | None = None
    top5_correct: float | None = None
    distinct_nouns: int
    ceiling: float | None = None  # share of the labelled images whose gold or accepted noun is in the lexicon
    ms_per_image: float
    difference_to_retrieval: float | None = None
    difference_low: float | None = None  # 95 % paired bootstrap over images
    difference_high: float | None = None
    unreadable: int
    score_if_unjudged_right: float | None = None
    retrieval_run: str = ""  # the run of the difference
    difference_p: float | None = None  # two-sided, of the same bootstrap
    primary_score_low: float | None = None
    primary_score_high: float | None = None
    primary_score_if_unjudged_right: float | None = None
    overall_score: float | None = None  # points times how specific the noun is
    overall_score_low: float | None = None
    overall_score_high: float | None = None
    overall_score_if_unjudged_right: float | None = None
    top1_correct_low: float | None = None
    top1_correct_high: float | None = None
    top1_correct_if_unjudged_right: float | None = None
    top5_correct_low: float | None = None
    top5_correct_high: float | None = None
    top5_correct_if_unjudged_right: float | None = None
    top3_score: float | None = None  # points of the best of the first three nouns
    top3_score_low: float | None = None
    top3_score_high: float | None = None
    top3_score_if_unjudged_right: float | None = None
    top5_score: float | None = None
    top5_score_low: float | None = None
    top5_score_high: float | None = None
    top5_score_if_unjudged_right: float | None = None
    synonym_score: float | None = None  # prediction score in which names of one thing share their judgement
    synonym_score_low: float | None = None
    synonym_score_high: float | None = None
    synonym_score_if_unjudged_right: float | None = None
    hierarchical_score: float | None = None  # Lin's nearness of the first noun to the label, over labelled images
    hierarchical_score_low: float | None = None
    hierarchical_score_high: float | None = None
    effective_nouns: float | None = None  # exp of the entropy of the first nouns
    top_noun_share: float | None = None  # share of the answered images with the commonest first noun
    calibration_error: float | None = None  # of the run's own probabilities, over judged first nouns
    calibration_error_low: float | None = None
    calibration_error_high: float | None = None
    risk_coverage_area: float | None = None
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
    def name(self) -> str:
        """How `nounflow reproduce` calls it: run/image_set/annotator."""
        return "/".join(filter(None, (self.run, self.image_set, self.annotator)))


COLUMNS = tuple(ScoreRow.model_fields)


def write_scores(path: Path, rows: Sequence[ScoreRow]) -> None:
    """Write the table atomically; numbers with six significant digits."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter="\t", lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow(_cell(getattr(row, column)) for column in COLUMNS)
    write_text(path, buffer.getvalue())


def read_scores(path: Path) -> list[ScoreRow]:
    """Read and check a table that `write_scores` wrote."""
    try:
        with open(path, encoding="utf-8", newline="") as handle:
            reader = csv.DictReader(handle, delimiter="\t")
            if tuple(reader.fieldnames or ()) != COLUMNS:
                raise DamagedFileError(
                    "The score table does not have the expected columns", where=path, fix="run the scores stage again"
                )
            cells = [{key: cell for key, cell in row.items() if cell != "" or key in _KEYS} for row in reader]
    except FileNotFoundError:
        raise NounflowError("There is no score table", where=path, fix="run the scores stage first") from None
    try:
        return [ScoreRow.model_validate(row) for row in cells]
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        raise DamagedFileError(
            f"The score table has a wrong cell: {first['loc'][0]}: {first['msg']}",
            where=path,
            fix="run the scores stage again",
        ) from error


def judge(row: ScoreRow) -> str:
    """Who judged, and how far that agrees with people: "openai (κ 0.71 with people, 120 nouns)"."""
    if not row.annotator or row.judge_pairs is None:
        return row.annotator or "–"
    return f"{row.annotator} (κ {_decimals(row.judge_kappa)} with people, {row.judge_pairs:,} nouns)"


def judged(row: ScoreRow) -> str:
    """What a row is of: "photos, judged by wordnet"."""
    return f"{row.image_set}, {f'judged by {judge(row)}' if row.annotator else 'not judged'}"


def comparison(row: ScoreRow) -> str | None:
    """One sentence that sets a run beside the retrieval baseline; None where there is none."""
    difference, low, high = row.difference_to_retrieval, row.difference_low, row.difference_high
    if difference is None or low is None or high is None:
        return None
    figures = f"{points(difference)} points, 95 % interval {points(low)} to {points(high)}"
    names = f"'{row.run}' ({row.predictor})", f"'{row.retrieval_run}' (retrieval)"
    where = f"On {judged(row)}"
    if low <= 0 <= high:
        return f"{where}: no difference shown between {names[0]} and {names[1]} ({figures})."
    word = "better" if difference > 0 else "worse"
    return f"{where}: {names[0]} is {word} than {names[1]} ({figures})."


def percent(value: float | None) -> str:
    """A fraction as percent with one decimal; a dash for an empty cell."""
    return "–" if value is None else f"{100 * value:.1f}"


def points(value: float) -> str:
    """A difference of fractions as points with a sign: "+1.2", "0.0", "−0.4"."""
    rounded = round(100 * value, 1)
    return "0.0" if rounded == 0 else f"{rounded:+.1f}".replace("-", "−")


def percent_interval(value: float | None, low: float | None, high: float | None) -> str:
    """ "24.1 [22.0, 26.3]" """
    return "–" if value is None else f"{percent(value)} [{percent(low)}, {percent(high)}]"


def points_interval(difference: float | None, low: float | None, high: float | None) -> str:
    """ "+1.5 [−0.2, +3.2]" """
    if difference is None or low is None or high is None:
        return "–"
    return f"{points(difference)} [{points(low)}, {points(high)}]"


def bounded(row: ScoreRow, name: str) -> str:
    """A score with its interval, and where nouns are unjudged its bound: "24.1 [22.0, 26.3], at most 31.0"."""
    value = percent_interval(*_interval(row, name))
    bound = upper_bound(row, name)
    return value if bound is None else f"{value}, at most {percent(bound)}"


def upper_bound(row: ScoreRow, name: str) -> float | None:
    """What a score would be if every unjudged noun were right; None where all are judged."""
    column = "score" if name == "prediction_score" else name
    bound: float | None = getattr(row, f"{column}_if_unjudged_right", None)
    return None if row.coverage == 1 else bound


_ASIDE = ("predictor", "n", "primary", "overall", "top-1", "top-5", "ceiling", "nouns", "ms")  # if there is no room
_ROOM = 160


def terminal_table(rows: Sequence[ScoreRow], width: int = 200) -> Table:
    """The table for a terminal so many characters wide, in percent; a score with unjudged nouns as a range."""
    from rich import box
    from rich.table import Table

    columns: dict[str, Callable[[ScoreRow], str]] = {
        "run": lambda row: row.run,
        "predictor": lambda row: row.predictor,
        "image set": lambda row: row.image_set,
        "judge": lambda row: (row.annotator or "–") + (f", κ {_decimals(row.judge_kappa)}" if row.judge_pairs else ""),
        "n": lambda row: str(row.n),
        "judged": lambda row: percent(row.coverage),
        "score": lambda row: percent_interval(*_interval(row, "prediction_score")),
        "at most": lambda row: percent(upper_bound(row, "prediction_score")),
        "primary": lambda row: _range(row, "primary_score"),
        "overall": lambda row: _range(row, "overall_score"),
        "top-1": lambda row: _range(row, "top1_correct"),
        "top-5": lambda row: _range(row, "top5_correct"),
        "ceiling": lambda row: percent(row.ceiling),
        "nouns": lambda row: str(row.distinct_nouns),
        "ms": lambda row: f"{row.ms_per_image:.1f}",
        "minus retrieval": lambda row: points_interval(
            row.difference_to_retrieval, row.difference_low, row.difference_high
        ),
    }
    left_out = {*(_ASIDE if width < _ROOM else ()), *(("at most",) if all(row.coverage == 1 for row in rows) else ())}
    kept = [name for name in columns if name not in left_out]
    kappas = "; κ: the judge's agreement with people" if any(row.judge_pairs for row in rows) else ""
    table = Table(
        title=f"Scores in percent, with 95 % intervals over images{kappas}",
        caption="" if width >= _ROOM else "more columns: a wider terminal, or --format markdown",
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    for name in kept:
        if name in ("run", "predictor", "image set", "judge"):
            table.add_column(name, overflow="fold")
        else:
            table.add_column(name, justify="right", no_wrap=name in ("score", "minus retrieval"))
    for row in rows:
        table.add_row(*(columns[name](row) for name in kept))
    return table


def _interval(row: ScoreRow, name: str) -> tuple[float | None, float | None, float | None]:
    return getattr(row, name), getattr(row, f"{name}_low"), getattr(row, f"{name}_high")


def _range(row: ScoreRow, name: str) -> str:
    value, bound = percent(getattr(row, name)), upper_bound(row, name)
    return value if bound is None else f"{value}–{percent(bound)}"


def _decimals(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.2f}"


def _cell(value: str | int | float | None) -> str:
    if value is None:
        return ""
    return f"{value + 0.0:.6g}" if isinstance(value, float) else str(value)  # + 0.0 turns -0.0 into 0
