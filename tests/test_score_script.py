"""The script score.py: what it reads, writes, prints and refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from score_material import ANSWERS, JUDGED
from synthetic_results import NOUNS, manifest, nouns_table, predictions

from nounflow.errors import MismatchError, NounflowError
from nounflow.schemas.documents import write_document
from nounflow.schemas.tables import NOUNS as NOUNS_SCHEMA
from nounflow.schemas.tables import write_table
from nounflow.scoring.load import load_material
from nounflow.scoring.rows import read_scores

ROOT = Path(__file__).parents[1]


def write_results(folder: Path) -> list[str]:
    """Two runs on one image set, as files; returns the arguments of score.py."""
    write_table(folder / "nouns" / "tiny.parquet", nouns_table(), NOUNS_SCHEMA)
    (folder / "labels.tsv").write_text("file\tgold\n1.png\tdog\n2.png\twombat\n")
    for run, predictor in (("a", "decoder"), ("r", "retrieval")):
        write_document(folder / "models" / run / "manifest.json", manifest(run, predictor))
        document = predictions(run, ANSWERS, predictor, unreadable={"7.png": "the file is empty"})
        write_document(folder / "predictions" / run / "photos.json", document)
    write_document(folder / "annotations" / "photos" / "wordnet.json", JUDGED)
    return [
        *("--predictions", str(folder / "predictions/a/photos.json"), str(folder / "predictions/r/photos.json")),
        *("--annotations", str(folder / "annotations/photos/wordnet.json")),
        *("--models", str(folder / "models/a/manifest.json"), str(folder / "models/r/manifest.json")),
        *("--nouns", str(folder / "nouns/tiny.parquet")),
        *("--labels", json.dumps({"photos": str(folder / "labels.tsv")})),
        *("--out", str(folder / "scores.tsv"), "--details", str(folder / "scores.json")),
        *("--counts", str(folder / "scores.counts.json")),
    ]


def run_script(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "workflow_scripts" / "score.py"), *arguments],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
    )


def test_the_script_writes_table_and_tallying_counts_and_says_the_comparison(tmp_path: Path) -> None:
    arguments = write_results(tmp_path)
    done = run_script(arguments)
    assert done.returncode == 0, done.stderr
    assert "no difference shown between 'a' (decoder) and 'r' (retrieval)" in done.stdout
    rows = read_scores(tmp_path / "scores.tsv")
    assert [row.run for row in rows] == ["a", "r"]
    assert rows[0].ceiling == 0.5
    flows = json.loads((tmp_path / "scores.counts.json").read_text())["flows"]
    images = next(flow for flow in flows if flow["name"].startswith("a on photos"))
    assert (images["in"], images["out"], sum(images["dropped"].values())) == (7, 5, 2)
    first = (tmp_path / "scores.tsv").read_bytes()
    run_script(arguments)
    assert (tmp_path / "scores.tsv").read_bytes() == first


def test_the_script_refuses_a_lexicon_of_another_build_and_keeps_the_old_table(tmp_path: Path) -> None:
    arguments = write_results(tmp_path)
    (tmp_path / "scores.tsv").write_text("earlier")
    write_table(tmp_path / "nouns" / "tiny.parquet", nouns_table(NOUNS[:-1]), NOUNS_SCHEMA)
    done = run_script(arguments)
    assert done.returncode == 1
    assert "lexicon that is none of those given" in done.stderr
    assert "Traceback" not in done.stderr
    assert (tmp_path / "scores.tsv").read_text() == "earlier"


def test_material_that_does_not_belong_together_is_refused(tmp_path: Path) -> None:
    write_results(tmp_path)
    files: dict[str, Any] = {
        "predictions": [tmp_path / "predictions/a/photos.json"],
        "annotations": [],
        "models": [tmp_path / "models/a/manifest.json"],
        "nouns": [tmp_path / "nouns/tiny.parquet"],
        "labels": {"photos": None},
    }
    assert load_material(**files).labels["photos"] == {}
    with pytest.raises(MismatchError, match="image set 'photos'"):
        load_material(**files | {"labels": {}})
    with pytest.raises(MismatchError, match="no manifest of the run 'a'"):
        load_material(**files | {"models": [tmp_path / "models/r/manifest.json"]})
    with pytest.raises(NounflowError, match="Two files are both of a and photos"):
        load_material(**files | {"predictions": files["predictions"] * 2})
    cut = predictions("a", {"1.png": []})
    write_document(tmp_path / "cut.json", cut)
    with pytest.raises(MismatchError, match=r"'1\.png' has 0 nouns"):
        load_material(**files | {"predictions": [tmp_path / "cut.json"]})
