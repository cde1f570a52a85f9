"""Checks a file of captions of any size: what is held at a time is one window of rows and the captions of some nouns.

Captions that are alike are found within a noun, so rows go to parts by their first noun, each of about a window's rows.
The results go back to the windows, where the rows are read once more, in their order.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from nounflow.captions.check_report import CaptionReport, LLMUsage, ReportTally
from nounflow.captions.checks import CaptionChecks, Checked, with_secondary
from nounflow.captions.spool import Spool
from nounflow.config.captions import ChecksConfig
from nounflow.errors import NounflowError
from nounflow.schemas.tables import CAPTIONS, ROW_GROUP, count_rows, read_batches, write_batches

_WHAT = "file of captions"


def check_file(
    captions: Path,
    nouns: pl.DataFrame,
    settings: ChecksConfig,
    folder: Path,
    kept: Path | None = None,
    usage: LLMUsage | None = None,
    window: int = ROW_GROUP,
) -> CaptionReport:
    """Check all rows of a parquet file of schema `CAPTIONS`.

    Args:
        folder: has room for the file's rows, for as long as this takes.
        kept: write the kept rows here, with secondary nouns as targets.
        usage: what the captions have cost.
        window: rows held at a time.

    Raises:
        NounflowError: no such file, no captions in it, or captions of another lexicon.
    """
    with Spool(folder) as parts, Spool(folder) as results, Spool(folder) as ngrams:
        n_parts = _part(captions, len(nouns), parts, window)
        totals = _check_parts(CaptionChecks(nouns, settings), parts, n_parts, results, window)
        tally = ReportTally(captions.stem, totals, nouns, ngrams)

        def tables() -> Iterator[pl.DataFrame]:
            for number, table in enumerate(read_batches(captions, CAPTIONS, _WHAT, window)):
                checked = _results(results, number)
                tally.add(table, checked)
                if kept:
                    yield with_secondary(table, checked, settings.secondary_share)

        if kept:
            write_batches(kept, tables(), CAPTIONS)
        else:
            list(tables())
        return tally.report(usage)


def refuse_below(least: float, report: CaptionReport, captions: Path, advice: str) -> None:
    """NounflowError if a smaller share of the captions is kept."""
    if report.share_kept < least:
        raise NounflowError(
            f"Only {report.share_kept:.1%} of the captions are kept, {least:.1%} are the least",
            where=captions,
            fix=f"{advice}, or set captions.checks.min_yield",
        )


def _part(captions: Path, nouns: int, parts: Spool, window: int) -> int:
    """Send the rows, with a column `row`, to parts by their first noun; returns the number of parts."""
    n_parts = count_rows(captions, _WHAT) // window + 1
    first = 0
    for table in read_batches(captions, CAPTIONS, _WHAT, window):
        targets = table["targets"]
        unknown = targets.explode().max()
        empty = any(table.null_count().row(0)) or targets.list.len().min() == 0
        if empty or unknown is None or int(unknown) >= nouns:  # type: ignore[arg-type]
            raise NounflowError(
                "The captions lack a text or a noun, or name nouns that the lexicon does not have",
                where=captions,
                fix="name the lexicon that they were written for",
            )
        own = pl.col("targets").list.first() % n_parts
        table = table.with_row_index("row", first).with_columns(part=own)
        for (part,), rows in table.partition_by("part", as_dict=True, include_key=False).items():
            parts.append_frame(part, rows)
        first += len(table)
    return n_parts


def _check_parts(checks: CaptionChecks, parts: Spool, n_parts: int, results: Spool, window: int) -> Counter[str | None]:
    """Check part by part; the results go to the windows of their rows. Returns fault (None: kept) -> captions."""
    totals: Counter[str | None] = Counter()
    for part in range(n_parts):
        if not (frames := list(parts.frames(part))):
            continue
        rows = pl.concat(frames)
        checked = checks.check_table(rows)
        totals.update(result.fault for result in checked)
        found = pl.DataFrame(checked, schema={"fault": pl.String, "others": pl.List(pl.UInt32), "related": pl.UInt32})
        found = found.with_columns(rows["row"], window=rows["row"] // window)
        for (number,), piece in found.partition_by("window", as_dict=True, include_key=False).items():
            results.append_frame(number, piece)
    return totals


def _results(results: Spool, window: int) -> list[Checked]:
    """One result for each row of a window, in their order."""
    found = pl.concat(results.frames(window)).sort("row").drop("row")
    return [Checked(fault, tuple(others), related) for fault, others, related in found.iter_rows()]
