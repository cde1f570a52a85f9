"""Tables that people open in a spreadsheet: texts are no formulas, come back as they were, and numbers stay numbers."""

import ast
import csv
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nounflow.escaping import escaped, guarded, spreadsheet_cell, unguarded
from nounflow.spreadsheets import sheet_text, write_sheet

FORMULAS = ("=", "+", "-", "@", "\t", "\r")
TEXTS = st.text() | st.builds("".join, st.lists(st.sampled_from([*"'=+-@\t\r\n,\"a"]), max_size=6))


@settings(max_examples=300)
@given(TEXTS)
def test_a_guarded_text_is_no_formula_and_comes_back(text: str) -> None:
    assert not guarded(text).startswith(FORMULAS)
    assert unguarded(guarded(text)) == text
    assert unguarded(spreadsheet_cell(text)) == escaped(text)


@settings(max_examples=100)
@given(st.lists(st.tuples(TEXTS.filter(lambda text: "\0" not in text and text.isprintable()), TEXTS), max_size=4))
def test_rows_come_back_from_a_file(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]) -> None:
    for name, delimiter in (("table.tsv", "\t"), ("table.csv", ",")):
        path = tmp_path_factory.mktemp("sheet") / name
        write_sheet(path, ("a", "b"), rows)
        with open(path, encoding="utf-8", newline="") as handle:
            found = [tuple(map(unguarded, row)) for row in csv.reader(handle, delimiter=delimiter)]
        assert found == [("a", "b"), *((escaped(a), escaped(b)) for a, b in rows)]


def test_numbers_stay_numbers_and_nothing_is_an_empty_cell() -> None:
    rows = [(-0.125, -3, None, "-3", True), (1e-7, 0, -0.0, "", False)]
    assert sheet_text("vwxyz", rows) == "v\tw\tx\ty\tz\n-0.125\t-3\t\t'-3\tTrue\n1e-07\t0\t0.0\t\tFalse\n"
    assert sheet_text("v", [(-0.123456,)], digits=".2f") == "v\n-0.12\n"


@pytest.mark.parametrize("folder", ["nounflow", "workflow_scripts"])
def test_no_table_is_written_past_the_one_writer(repository: Path, folder: str) -> None:
    past = []
    for path in (repository / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case (
                    ast.Attribute(attr="write_csv")
                    | ast.Attribute(value=ast.Name(id="csv"), attr="writer" | "DictWriter")
                ):
                    past.append(path.relative_to(repository).as_posix())
    assert past == (["nounflow/spreadsheets.py"] if folder == "nounflow" else [])
