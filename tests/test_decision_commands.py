"""`nounflow decisions`, and the stage that collects decisions."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from annotation_site import ROOT, Site, decision, draw, environment

from nounflow.annotation.log import DecisionLog, read_records
from nounflow.cli import main
from nounflow.schemas.annotations import Annotations
from nounflow.schemas.decisions import DecisionDraft
from nounflow.schemas.documents import read_document


@pytest.fixture
def site(tmp_path: Path, wordnet_input: Path) -> Site:
    return Site(tmp_path, wordnet_input)


@pytest.fixture
def run(site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """The command line in the site's folder; returns what it printed."""
    monkeypatch.chdir(site.folder)

    def call(*arguments: str) -> str:
        main([*arguments, "--configfile", "mine.yaml"])
        return capsys.readouterr().out

    return call


def test_logs_are_imported_shown_exported_and_merged_by_command(
    site: Site, run: Callable[..., str], tmp_path: Path
) -> None:
    lists = {"dog.png": {"correct_primary": ["dog"], "incorrect": ["wolf"]}, "lost.png": {"incorrect": ["x"]}}
    (tmp_path / "ann.json").write_text(json.dumps(lists))
    (tmp_path / "bob.json").write_text(json.dumps({"dog.png": {"correct_secondary": ["dog"], "incorrect": ["wolf"]}}))
    for name in ("ann", "bob"):
        out = run("decisions", "import", f"{name}.json", "--annotator", name, "--image-set", "drawn")
    assert "2 records, 2 of them new, 0 refused" in out
    again = run("decisions", "import", "ann.json", "--annotator", "ann", "--image-set", "drawn")
    assert "1 dropped: no such picture in the image folder" in again
    assert "2 records, 0 of them new, 0 refused" in again
    shown = run("decisions", "show")
    assert "ann, bob: 2 pairs, 50.0% the same" in shown
    assert "contradictions: 1, settled by majority, senior, latest" in shown
    assert "'dog' of 'dog.png'" in shown
    assert "ann: correct primary, bob: correct secondary -> " in shown
    assert "'wolf'" not in shown
    (tmp_path / "both.json").write_text(json.dumps({"cup.png": {"close_primary": ["mug"], "incorrect": ["mug"]}}))
    run("decisions", "import", "both.json", "--annotator", "cy", "--image-set", "drawn")
    (own,) = (line for line in run("decisions", "show").splitlines() if "'mug' of 'cup.png'" in line)
    assert {said.strip() for said in own.split("): ")[1].removesuffix(" -> open").split(",")} == {
        "cy: close primary",
        "cy: incorrect",
    }
    run("decisions", "export", "log.jsonl")
    run("decisions", "merge", "log.jsonl", "--log", "other.sqlite")
    assert sorted(read_records(tmp_path / "other.sqlite"), key=lambda r: r.id) == sorted(
        read_records(site.log), key=lambda r: r.id
    )
    said_out = run("decisions", "export", "lists.json", "--image-set", "drawn")
    assert "differ on 'dog'" in said_out
    assert json.loads((tmp_path / "lists.json").read_text())["dog.png"]["incorrect"] == ["wolf"]


def collect(site: Site, tmp_path: Path, settings: dict[str, Any]) -> str:
    arguments = [
        *("--annotator", "people", "--image-set", "drawn", "--settings", json.dumps(settings)),
        *("--images", str(site.folder / "images")),
        *("--predictions", *(str(p) for p in sorted(site.folder.glob("results/predictions/*/drawn.json")))),
        *("--out", str(tmp_path / "people.json"), "--contradictions", str(tmp_path / "people.contradictions.tsv")),
        *("--counts", str(tmp_path / "people.counts.json")),
    ]
    script = str(ROOT / "workflow_scripts/collect_decisions.py")
    done = subprocess.run([sys.executable, script, *arguments], env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_stage_makes_annotations_of_the_log_that_scoring_reads(site: Site, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"kind": "people", "log": str(site.log)}
    assert "there is no decision log" in collect(site, tmp_path, settings)
    assert read_document(Annotations, tmp_path / "people.json", "annotations").images == {}
    with DecisionLog.open(site.log) as log:
        drafts = [
            decision(site.image("dog.png"), "dog", "correct_primary"),
            decision(site.image("dog.png"), "sofa", "correct_secondary", "bob"),
            decision(site.image("dog.png"), "sofa", "close_secondary", "ann"),
        ]
        log.append([DecisionDraft(**one) for one in drafts]).result()
    out = collect(site, tmp_path, settings)
    assert "1 dropped: contradictions settled by: latest" in out
    document = read_document(Annotations, tmp_path / "people.json", "annotations")
    assert document.images["dog.png"].close_secondary == ("sofa",)
    assert document.rule == "people: majority, senior, latest"
    rows = (tmp_path / "people.contradictions.tsv").read_text().splitlines()
    assert len(rows) == 3
    collect(site, tmp_path, {**settings, "seniority": ["bob"]})
    assert read_document(Annotations, tmp_path / "people.json", "annotations").images["dog.png"].correct_secondary


def test_a_new_decision_reruns_the_rule_and_nothing_else_does(site: Site, tmp_path: Path) -> None:
    document = (tmp_path / "results/predictions/one/drawn.json").read_text()
    for name in ("small", "small_head", "small_retrieval", "small_fused"):  # the runs of the config
        (tmp_path / f"results/predictions/{name}").mkdir()
        (tmp_path / f"results/predictions/{name}/drawn.json").write_text(document)
    target = "results/annotations/drawn/people.json"

    def snakemake(*options: str) -> str:
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", "1"]
        command += ["--directory", str(tmp_path), "--allowed-rules", "collect_decisions", *options]
        command += ["--configfile", str(tmp_path / "mine.yaml"), "--", target]
        done = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    assert "there is no decision log" in snakemake()
    with DecisionLog.open(site.log) as log:
        log.append([DecisionDraft(**decision(site.image("dog.png"), "dog", "correct_primary"))]).result()
        assert "collect_decisions" in snakemake("--dry-run")  # also while the page runs, before SQLite tidies up
        snakemake()
        assert "Nothing to be done" in snakemake("--dry-run")
    assert read_document(Annotations, tmp_path / target, "annotations").images["dog.png"].correct_primary == ("dog",)


def test_logs_are_imported_and_exported_outside_of_a_project_and_no_picture_found_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "images").mkdir()
    draw(tmp_path / "images/a.png", 1)
    (tmp_path / "in.json").write_text('{"a.png": {"correct_primary": ["dog"]}}')
    (tmp_path / "other.json").write_text('{"b.png": {"correct_primary": ["dog"]}}')
    options = ("--images", "images", "--log", "log.sqlite")
    with pytest.raises(SystemExit):
        main(["decisions", "import", "other.json", "--annotator", "ann", *options])
    assert "None of the judged pictures is in the image folder" in capsys.readouterr().err
    assert not (tmp_path / "log.sqlite").exists()
    main(["decisions", "import", "in.json", "--annotator", "ann", *options])
    main(["decisions", "export", "out.json", *options])
    assert json.loads((tmp_path / "out.json").read_text())["a.png"]["correct_primary"] == ["dog"]
