"""Label files as people and spreadsheets write them: read, or refused by line with the way out."""

from __future__ import annotations

import csv
import io
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nounflow.embedder_checks.labels import write_labels
from nounflow.errors import NounflowError
from nounflow.escaping import unguarded
from nounflow.schemas.labels import nouns_of, read_labels


def test_labels_are_read_with_their_lists(tmp_path: Path) -> None:
    path = tmp_path / "labels.tsv"
    path.write_text("file\tgold\tsense\taccepted\tsecondary\na b.png\tcat\t\ttomcat;kitty\t\nc.png\tdog\t\t\tball\n")
    labels = read_labels(path)
    assert list(labels) == ["a b.png", "c.png"]
    assert labels["a b.png"].accepted == ("tomcat", "kitty")
    assert labels["c.png"].secondary == ("ball",)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])  # the latter is Excel's "Unicode Text"
def test_a_label_file_that_excel_saved_is_read(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "labels.tsv"
    path.write_text("file\tgold\r\na.png\tKöter\r\n", encoding=encoding)
    assert read_labels(path)["a.png"].gold == "Köter"


def test_what_nobody_sees_in_a_noun_makes_no_other_noun(tmp_path: Path) -> None:
    path = tmp_path / "labels.tsv"
    path.write_text('file\tgold\taccepted\na.png\t"\u200bpolar\u00a0\n bear"\tcafe\u0301;\u200b\n')
    labels = read_labels(path)["a.png"]
    assert (labels.gold, labels.accepted) == ("polar bear", ("café",))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "image\tnoun\na.png\tcat\n",
        "file\tgold\na.png\t\n",
        "file\tgold\na.png\t  \n",
        "file\tgold\na\tcat\na\tdog\n",
        "file\tgold\na\tcat;dog\n",
        "file\tgold\na\tcat\nb\tdog\tpuppy\n",
        "file\tgold\na\tcaf\udce9\n",
    ],
)
def test_a_label_file_of_another_form_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "labels.tsv"
    path.write_text(text, errors="surrogateescape")
    with pytest.raises(NounflowError) as caught:
        read_labels(path)
    assert "labels.tsv" in str(caught.value)


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "labels.tsv"
    path.write_text(text, encoding="utf-8")
    return path


def test_quotes_around_a_cell_are_the_spreadsheet_s_and_doubled_ones_are_meant(tmp_path: Path) -> None:
    labels = read_labels(written(tmp_path, 'file\tgold\taccepted\n"cat, ""old"".jpg"\tcat\t"sofa; ""soft"" couch"\n'))
    assert list(labels) == ['cat, "old".jpg']
    assert labels['cat, "old".jpg'].accepted == ("sofa", '"soft" couch')


def test_lines_of_nothing_but_tabs_are_passed_over(tmp_path: Path) -> None:
    assert list(read_labels(written(tmp_path, "file\tgold\n\n\t\na.png\tcat\n\t\t\t\n"))) == ["a.png"]


@pytest.mark.parametrize(
    ("row", "line", "way_out"),
    [
        ('"a.png\tcat', 3, "double those within"),
        ('"a" b.png\tcat', 3, "double those within"),
        ("a.png\t", 3, "an image may go unlabelled"),
        ("\tcat", 3, "fill the cell"),
        ("a.png\tcat;dog", 3, "accepted"),
        ("a.png\tcat\tdog", 3, "separated by ;"),
        ("./b.png\tdog", 3, "delete one of them"),
        ("../a.png\tcat", 3, "as seen from that folder"),
        ("sub/../../a.png\tcat", 3, "as seen from that folder"),
        ("/etc/a.png\tcat", 3, "as seen from that folder"),
    ],
)
def test_a_row_that_is_wrong_is_named_by_its_line_with_the_way_out(
    tmp_path: Path, row: str, line: int, way_out: str
) -> None:
    with pytest.raises(NounflowError) as caught:
        read_labels(written(tmp_path, f"file\tgold\nb.png\tcat\n{row}\n"))
    assert f"line {line}" in str(caught.value)
    assert way_out in str(caught.value)


def test_a_name_is_found_however_its_accents_are_composed(tmp_path: Path) -> None:
    name = "café.jpg"
    for kept in ("NFC", "NFD"):
        labels = read_labels(written(tmp_path, f"file\tgold\n{unicodedata.normalize(kept, name)}\tcup\n"))
        for asked in ("NFC", "NFD"):
            spelt = unicodedata.normalize(asked, name)
            assert spelt in labels
            assert labels[spelt].gold == labels.get(f"./{spelt}").gold == "cup"


NAMES = st.text(st.characters(exclude_categories=("Cs", "Cc", "Z"), exclude_characters=";/."), min_size=1, max_size=8)
NOUNS = NAMES.filter(lambda name: nouns_of(name) == (name,))  # others are mended


@settings(max_examples=40)
@given(st.dictionaries(NAMES, NOUNS, min_size=1, max_size=5))
def test_what_a_spreadsheet_writes_is_read_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, cells: dict[str, str]
) -> None:
    text = io.StringIO()
    csv.writer(text, delimiter="\t").writerows([("file", "gold"), *cells.items()])
    labels = read_labels(written(tmp_path_factory.mktemp("labels"), text.getvalue()))
    spelt = {unicodedata.normalize("NFC", unguarded(file)): unguarded(noun) for file, noun in cells.items()}
    assert {file: label.gold for file, label in labels.items()} == spelt


@settings(max_examples=40)
@given(st.dictionaries(NAMES.map("'".__add__) | NAMES.map("=".__add__) | NAMES, NOUNS, min_size=1, max_size=5))
def test_label_files_that_we_write_hold_no_formula_and_are_read_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, cells: dict[str, str]
) -> None:
    path = tmp_path_factory.mktemp("labels") / "labels.tsv"
    write_labels(path, cells)
    rows = list(csv.reader(path.read_text(encoding="utf-8").splitlines(), delimiter="\t"))
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@"))]
    spelt = {unicodedata.normalize("NFC", file): noun for file, noun in cells.items()}
    assert {file: label.gold for file, label in read_labels(path).items()} == spelt
