"""What the checks found in a file of captions: reports, alone and side by side, as documents, pages and commands."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from check_material import IDS, MIXED, table_of
from hypothesis import given, settings
from hypothesis import strategies as st

from nounflow import cli
from nounflow.captions import distinct
from nounflow.captions.check_page import as_markdown, comparison
from nounflow.captions.check_report import CaptionReport, LLMUsage, ReportTally, count_checks
from nounflow.captions.checking import check_file
from nounflow.captions.checks import CaptionChecks, Checked, with_secondary
from nounflow.captions.distinct import DistinctNgrams
from nounflow.captions.spool import Spool
from nounflow.captions.table import Row, frame_of
from nounflow.config.captions import ChecksConfig
from nounflow.errors import NounflowError
from nounflow.schemas.tables import CAPTIONS, LEXICON, read_table, write_table


def make_report(
    source: str, table: pl.DataFrame, checked: list[Checked], nouns: pl.DataFrame, usage: LLMUsage | None = None
) -> CaptionReport:
    with tempfile.TemporaryDirectory() as folder, Spool(Path(folder)) as spool:
        tally = ReportTally(source, Counter(result.fault for result in checked), nouns, spool)
        tally.add(table, checked)
        return tally.report(usage)


@pytest.fixture(scope="module")
def mixed(checks: CaptionChecks, check_nouns: pl.DataFrame) -> CaptionReport:
    """The report of six captions, of which two are kept."""
    table = table_of(*MIXED)
    usage = LLMUsage(calls=2, input_tokens=50, output_tokens=90, cost_usd=0.01)
    return make_report("mixed", table, checks.check_table(table), check_nouns, usage)


def test_each_refused_caption_is_counted_under_one_reason(mixed: CaptionReport) -> None:
    assert mixed.refused == {
        "its noun is missing": 1,
        "no caption alone: talk about the answer": 1,
        "shorter than 4 words": 1,
        "the same as another caption of the noun": 1,
    }
    assert mixed.kept + sum(mixed.refused.values()) == mixed.captions == len(MIXED)


def test_what_is_kept_is_told_as_a_share_by_noun_and_by_what_it_cost(mixed: CaptionReport) -> None:
    assert mixed.share_kept == pytest.approx(2 / 6)
    assert mixed.usd_per_1000_kept == pytest.approx(5.0)
    assert mixed.nouns.model_dump() == {
        "asked": 2, "without": 0, "fewest": 1, "mean": 1.0, "poorest": {"dog": 1, "owl": 1}
    }  # fmt: skip


def test_the_nouns_beyond_the_captions_own_are_counted(mixed: CaptionReport) -> None:
    assert mixed.secondary_nouns == {"sofa": 1}


def test_a_report_becomes_counts_a_document_and_a_page(mixed: CaptionReport) -> None:
    assert [flow["out"] for flow in count_checks(mixed).as_dict()["flows"]] == [2, 2]
    assert CaptionReport.model_validate_json(mixed.model_dump_json()) == mixed
    page = as_markdown(mixed)
    for text in ("2 of 6 captions kept: 33.3%.", "| its noun is missing | 1 | 16.67% |", "5.0000 USD per 1,000 kept"):
        assert text in page


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(MIXED + [(text.replace(".", f" {i}."), noun) for i in "12" for text, noun in MIXED]),
                min_size=1, max_size=30), st.integers(1, 32))  # fmt: skip
def test_a_file_checked_window_by_window_gives_the_report_and_rows_of_all_at_once(
    checks: CaptionChecks, check_nouns: pl.DataFrame, captions: list[tuple[str, str]], window: int
) -> None:
    table = table_of(*captions)
    checked = checks.check_table(table)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_table(folder / "any.parquet", table, CAPTIONS)
        report = check_file(
            folder / "any.parquet", check_nouns, checks.settings, folder, folder / "kept.parquet", None, window
        )
        kept = read_table(folder / "kept.parquet", CAPTIONS, "captions")
        assert sorted(path.name for path in folder.iterdir()) == ["any.parquet", "kept.parquet"]
    assert report == make_report("any", table, checked, check_nouns)
    assert kept.equals(with_secondary(table, checked, checks.settings.secondary_share))


def test_captions_of_another_lexicon_are_refused(check_nouns: pl.DataFrame, tmp_path: Path) -> None:
    for targets, text in (([len(IDS)], "A dog sleeps on the sofa."), ([], "A dog sleeps on the sofa."), ([0], None)):
        rows: list[Row] = []
        rows.append((text, targets, 1.0, "t"))  # type: ignore[arg-type]
        write_table(tmp_path / "other.parquet", frame_of(rows), CAPTIONS)
        with pytest.raises(NounflowError, match="nouns that the lexicon does not have"):
            check_file(tmp_path / "other.parquet", check_nouns, ChecksConfig(), tmp_path)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(MIXED), max_size=20))
def test_any_table_tallies_and_every_text_has_one_result(
    checks: CaptionChecks, check_nouns: pl.DataFrame, captions: list[tuple[str, str]]
) -> None:
    table = table_of(*captions) if captions else frame_of([])
    checked = checks.check_table(table)
    report = make_report("any", table, checked, check_nouns)
    assert len(checked) == len(captions)
    assert report.kept + sum(report.refused.values()) == len(captions)
    assert report.usd_per_1000_kept is None
    assert len(set(zip(*[iter(report.samples)], strict=True))) == report.kept  # fewer than twenty: all of them
    as_markdown(report)


def test_an_unknown_price_gives_no_cost(checks: CaptionChecks, check_nouns: pl.DataFrame) -> None:
    table = table_of(*MIXED)
    report = make_report("x", table, checks.check_table(table), check_nouns, LLMUsage(calls=3))
    assert report.usd_per_1000_kept is None
    assert "the price is not known" in as_markdown(report)


def test_reports_stand_side_by_side_with_all_reasons(checks: CaptionChecks, check_nouns: pl.DataFrame) -> None:
    mixed = table_of(*MIXED)
    good = table_of(("A dog | sleeps on a sofa at home.", "dog"))
    usage = LLMUsage(calls=2, cost_usd=0.01)
    reports = [make_report("mixed", mixed, checks.check_table(mixed), check_nouns, usage),
               make_report("good", good, checks.check_table(good), check_nouns)]  # fmt: skip
    lines = comparison(reports, ["mixed", "good"]).splitlines()
    for line in ("| share kept | 33.3% | 0.0% |", "| USD per 1,000 kept | 5.0000 | - |",
                 "| its noun is missing | 16.67% | 0.00% |",
                 "| no caption alone: a placeholder or code in it | 0.00% | 100.00% |"):  # fmt: skip
        assert line in lines


def distinct_ngrams(texts: list[str]) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder, Spool(Path(folder)) as spool:
        ngrams = DistinctNgrams(spool)
        for text in texts:
            ngrams.add(text)
        return ngrams.shares()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.sampled_from(["red", "Dog,", "runs", "far."]), max_size=6).map(" ".join), max_size=20),
       st.integers(0, 9))  # fmt: skip
def test_distinct_n_is_that_of_sets_also_where_hashes_go_to_disk(texts: list[str], held: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distinct, "_HELD", held)
        found = distinct_ngrams(texts)
    words = [[word.strip(".,").lower() for word in text.split()] for text in texts]
    for n in (1, 2, 3):
        ngrams = [tuple(line[i : i + n]) for line in words for i in range(len(line) - n + 1)]
        assert found[str(n)] == (len(set(ngrams)) / len(ngrams) if ngrams else 0.0)


def test_distinct_n_counts_different_ngrams_over_all() -> None:
    assert distinct_ngrams(["a dog runs", "A dog sleeps."]) == {"1": 4 / 6, "2": 3 / 4, "3": 1.0}
    assert distinct_ngrams(["a"]) == {"1": 1.0, "2": 0.0, "3": 0.0}


@pytest.fixture
def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[str | int | None, str, str]]:
    """Runs `nounflow captions ...` in a folder; returns its exit status and what it printed on stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*options: object) -> tuple[str | int | None, str, str]:
        status: str | int | None = 0
        try:
            cli.main(["captions", *map(str, options)])
        except SystemExit as left:
            status = left.code
        return (status, *capsys.readouterr())

    return run


def test_the_check_is_a_command_with_an_exit_status_and_its_reports_compare(
    command: Callable[..., tuple[str | int | None, str, str]], check_nouns: pl.DataFrame, tmp_path: Path
) -> None:
    write_table(tmp_path / "nouns.parquet", check_nouns, LEXICON)
    for name, captions in (("mixed", MIXED), ("good", [MIXED[0], MIXED[4]])):
        write_table(tmp_path / f"{name}.parquet", table_of(*captions), CAPTIONS)
        out = f"{name}.check.json"
        status, page, errors = command("check", f"{name}.parquet", "--nouns", "nouns.parquet", "--out", out)
        assert status == (name == "mixed"), errors
        assert f"# Checked captions: {name}" in page
        assert (tmp_path / f"{name}.check.md").read_text() == page
    assert command("check", "mixed.parquet", "--nouns", "nouns.parquet", "--min-yield", 0.3)[0] == 0
    status, page, errors = command("compare", "mixed.check.json", "good.check.json", "--out", "both.md")
    assert status == 0, errors
    assert "| share kept | 33.3% | 100.0% |" in page.splitlines()
    assert (tmp_path / "both.md").read_text() == page


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("compare", "mixed.parquet"), "report of checked captions"),
        (("check", "none.parquet", "--nouns", "nouns.parquet"), "There is no file of captions"),
        (("check", "nouns.parquet", "--nouns", "nouns.parquet"), "lacks the columns text"),
        (("check", "text.json", "--nouns", "nouns.parquet"), "not a readable parquet file"),
    ],
)
def test_the_commands_answer_a_wrong_file_with_one_message(
    command: Callable[..., tuple[str | int | None, str, str]],
    check_nouns: pl.DataFrame,
    tmp_path: Path,
    options: tuple[str, ...],
    message: str,
) -> None:
    write_table(tmp_path / "nouns.parquet", check_nouns, LEXICON)
    write_table(tmp_path / "mixed.parquet", table_of(*MIXED), CAPTIONS)
    (tmp_path / "text.json").write_text("[]")
    status, _, errors = command(*options)
    assert (status, message in errors) == (1, True), errors
