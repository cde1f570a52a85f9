"""`nounflow name` as people use it: lists, tables, keywords beside photos, filling folders, runs that were stopped."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import exiv2
import pytest
from tiny_workflow import Project

from nounflow.classifier import NounClassifier
from nounflow.cli import main
from nounflow.commands.naming import _SHAPING, _write_table
from nounflow.commands.naming_journal import NamingJournal
from nounflow.errors import NounflowError
from nounflow.namings import Naming
from nounflow.open_set.gate import Verdict
from nounflow.sidecars import add_keywords

ROOT = Path(__file__).parent.parent


@pytest.fixture
def run(finished: Project) -> str:
    return str(finished.folder / "results/models/tiny_head")


@pytest.fixture
def photos(finished: Project, tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("a.png", "b.png", "broken.jpg"):
        shutil.copyfile(finished.folder / "drawn" / name.replace("b.png", "a.png"), folder / name)
    return folder


def name(*words: object) -> int:
    """The command's exit status."""
    try:
        main(["name", *map(str, words), "--device", "cpu", "--threads", "1"])
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def test_the_status_says_whether_all_some_or_none_were_named(run: str, photos: Path) -> None:
    assert name(photos / "a.png", "--run", run) == 0
    assert name(photos, "--run", run) == 1
    assert name(photos / "broken.jpg", "--run", run) == 2
    assert name(photos / "missing.png", "--run", run) == 1


def test_json_is_all_that_stdout_gets(run: str, photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name(photos, "--run", run, "--json", "--top", 2)
    rows = json.loads(capsys.readouterr().out)["images"]
    assert [Path(row["file"]).name for row in rows] == ["a.png", "b.png", "broken.jpg"]
    assert [len(row["nouns"]) for row in rows] == [2, 2, 0]
    assert rows[2]["problem"]


def test_a_table_with_commas_is_all_that_stdout_gets(
    run: str, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name(photos, "--run", run, "--csv", "--top", 2, "--out", tmp_path / "a.csv")
    assert capsys.readouterr().out == (tmp_path / "a.csv").read_text()
    assert len((tmp_path / "a.csv").read_text().splitlines()) == 6


def test_a_list_of_files_comes_from_another_program(
    run: str, photos: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    listing = f"{photos / 'b.png'}\n\n{photos / 'a.png'}\n".encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(listing)))
    assert name("-", "--run", run) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [Path(line.partition("\t")[0]).name for line in lines] == ["b.png", "a.png"]


def test_a_list_of_one_s_own_nouns_guides(
    run: str, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nouns = json.loads((Path(run) / "manifest.json").read_text())["nouns"][:2]
    (tmp_path / "own.txt").write_text(f"# mine\n{nouns[0]}\n\n{nouns[1]}  # the other\n")
    assert name(photos / "a.png", "--run", run, "--guide", tmp_path / "own.txt", "--json") == 0
    (row,) = json.loads(capsys.readouterr().out)["images"]
    assert sorted(row["nouns"]) == sorted(nouns)
    (tmp_path / "empty.txt").write_text("# nothing\n")
    assert name(photos / "a.png", "--run", run, "--guide", tmp_path / "empty.txt") == 1
    assert "list of nouns is empty" in capsys.readouterr().err


def test_nouns_below_the_confidence_are_left_out(run: str, photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert name(photos / "a.png", "--run", run, "--min-confidence", 1) == 0
    assert capsys.readouterr().out.endswith("\tnot sure\n")
    assert name(photos / "a.png", "--run", run, "--min-confidence", 2) == 2  # argparse refuses it


def test_keywords_are_added_beside_the_photo_and_what_was_there_stays(run: str, photos: Path) -> None:
    before = (photos / "a.png").read_bytes()
    sidecar = add_keywords(photos / "a.png", ["holiday", "Ü & <b>"])
    assert name(photos / "a.png", photos / "b.png", "--run", run, "--write-xmp", "--top", 2) == 0
    assert name(photos / "a.png", "--run", run, "--write-xmp", "--top", 2) == 0  # nothing doubles
    words = keywords(sidecar)
    assert words[:2] == ["holiday", "Ü & <b>"]
    assert len(words) == len(set(words)) == 4
    assert len(keywords(photos / "b.png.xmp")) == 2
    (photos / "b.png.xmp").unlink()
    assert name(photos / "b.png", "--run", run, "--write-xmp", "--confidence", 0) == 0
    assert len(keywords(photos / "b.png.xmp")) == 1  # what is sure, not all that was thought of
    assert (photos / "a.png").read_bytes() == before
    sidecar.write_text("no xmp")
    with pytest.raises(NounflowError, match="no XMP"):
        add_keywords(photos / "a.png", ["dog"])
    assert sidecar.read_text() == "no xmp"


def keywords(path: Path) -> list[str]:
    image = exiv2.ImageFactory.open(str(path))
    image.readMetadata()
    value = image.xmpData()["Xmp.dc.subject"].getValue()
    return [value.toString(i) for i in range(value.count())]


def test_a_run_that_was_stopped_goes_on(
    run: str, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "nouns.csv"
    assert name(photos, "--run", run, "--out", out) == 1
    whole = out.read_text()
    out.unlink()
    unsaid = {"unknown": False, "min_confidence": 0.0, "merge_synonyms": False, "uncalibrated": False}
    journal = NamingJournal(out, resume=False)
    journal.begin({"model": NounClassifier.load(run, "cpu").weights_sha256} | dict.fromkeys(_SHAPING) | unsaid)
    for file in ("a.png", "b.png"):
        journal.add(Naming(str(photos / file), ("kept from before",), (0.5,)))
    os.truncate(journal.path, journal.path.stat().st_size - 9)  # the last line is torn
    assert name(photos, "--run", run, "--out", out) == 1
    assert "--resume" in capsys.readouterr().err
    assert name(photos, "--run", run, "--out", out, "--resume", "--top", 2) == 1
    assert "named with another top" in capsys.readouterr().err
    assert not out.exists()
    assert name(photos, "--run", run, "--out", out, "--resume") == 1
    rows = out.read_text().splitlines()
    assert "kept from before" in rows[1]
    anew = [row.split(",")[:3] for row in rows[2:5]]
    assert anew == [row.split(",")[:3] for row in whole.splitlines()[4:7]]  # b.png: what was torn is named once more
    assert rows[5:] == whole.splitlines()[7:]
    assert not out.with_name("nouns.csv.part").exists()


def test_what_is_watched_is_a_folder(run: str, photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert name(photos / "a.png", "--run", run, "--watch") == 1
    assert "no folder to watch" in capsys.readouterr().err


def test_from_below_the_project_names_stay_names_and_paths_are_seen_from_there(
    finished: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOUNFLOW_MODELS", str(finished.folder / "results/models"))
    below = tmp_path / "below/photos"
    below.mkdir(parents=True)
    (tmp_path / "config").mkdir()
    (tmp_path / "config/config.yaml").write_text("{}")
    shutil.copyfile(finished.folder / "drawn/a.png", below / "a.png")
    monkeypatch.chdir(below.parent)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"photos/a.png\n")))
    assert name("-", "--run", "tiny_head") == 0
    assert capsys.readouterr().out.startswith("below/photos/a.png\t")
    assert name("photos/a.png", "--run", "tiny_head", "--gate") == 1
    assert str(finished.folder / "results/models/tiny_head/gate.json") in capsys.readouterr().err


def test_a_verdict_stands_in_the_table_behind_any_number_of_unreadable_images(tmp_path: Path) -> None:
    verdict = Verdict(0.5, 0.4, accepted=True)
    broken = [Naming(f"{i}.png", (), (), "broken") for i in range(150)]
    _write_table(tmp_path / "a.csv", [*broken, Naming("x.png", ("cat",), (0.9,), verdict=verdict)], None)
    head, *_rows, last = (tmp_path / "a.csv").read_text().splitlines()
    assert dict(zip(head.split(","), last.split(","), strict=True))["verdict"] == "accepted"


def test_a_watched_folder_is_named_as_it_fills(run: str, photos: Path, tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    shutil.copyfile(photos / "a.png", inbox / ".hidden.png")  # a folder that holds none as yet
    command = ["name", str(inbox), "--run", run, "--watch", "--device", "cpu", "--threads", "1"]
    process = subprocess.Popen(
        [sys.executable, "-c", "from nounflow.cli import main; main()", *command],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        for file in ("a.png", "b.png"):
            shutil.copyfile(photos / file, inbox / file)
            line = process.stdout.readline()
            assert Path(line.partition("\t")[0]).name == file
            (inbox / file).unlink()  # sorted away: it is empty again
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()
    finally:
        process.kill()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--watch", "--json"], "no end"),
        (["--watch", "--csv"], "no end"),
        (["--json", "--csv"], "both"),
        (["--resume"], "--out TABLE"),
        (["--out", "a.doc"], "Unknown kind of table"),
        (["--known", "."], "are of a gate"),
        (["--keep", "0.9"], "are of a gate"),
        (["--min-score", "0.5"], "pass --several"),
    ],
)
def test_options_that_do_not_go_together_are_named(
    run: str, photos: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert name(photos, "--run", run, *words) == 1
    assert said in capsys.readouterr().err
