"""The stages that write captions, as command lines."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
from caption_material import run
from check_material import MIXED, table_of
from test_published_captions import PUBLISHED
from test_published_prompts import PROMPTS

from nounflow.captions.templates import Templates
from nounflow.schemas.tables import CAPTIONS, LEXICON, read_table, write_table


def test_the_scripts_write_captions_and_counts_that_are_the_same_each_time(
    repository: Path, nouns: pl.DataFrame, template_files: list[Path], tmp_path: Path
) -> None:
    write_table(tmp_path / "nouns.parquet", nouns, LEXICON)
    common = ["--nouns", tmp_path / "nouns.parquet", "--seed", 4]
    singular, plural = template_files
    compose_options = ["--singular-templates", singular, "--plural-templates", plural, "--source", "m2"]
    written = []
    for turn in ("first", "second"):
        for script, options, out in (
            (
                "compose_captions.py",
                [*compose_options, "--settings", '{"texts_per_noun": 6}'],
                tmp_path / turn / "m2.parquet",
            ),
            ("generate_captions.py", ["--captioner", "offline", "--settings", "{}"], tmp_path / turn / "off.parquet"),
        ):
            done = run(repository, script, *common, *options, "--out", out, "--counts", out.with_suffix(".json"))
            assert done.returncode == 0, done.stderr
            assert "distinct texts out" in done.stdout
            assert json.loads(out.with_suffix(".json").read_text())["stage"] == "captions"
            written.append(out.read_bytes())
    assert written[:2] == written[2:]


def test_the_scripts_answer_a_mistake_with_one_message_and_no_traceback(
    repository: Path, template_files: list[Path], tmp_path: Path
) -> None:
    singular, plural = template_files
    done = run(
        repository, "compose_captions.py", "--nouns", tmp_path / "none.parquet", "--singular-templates", singular,
        "--plural-templates", plural, "--source", "m1", "--settings", '{"texts_per_noun": 6}', "--seed", 1,
        "--out", tmp_path / "m1.parquet",
    )  # fmt: skip
    assert done.returncode == 1
    assert "There is no lexicon" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "m1.parquet").exists()


def test_the_check_writes_its_report_and_fails_below_the_least_yield(
    repository: Path, check_nouns: pl.DataFrame, tmp_path: Path
) -> None:
    write_table(tmp_path / "nouns.parquet", check_nouns, LEXICON)
    write_table(tmp_path / "mixed.parquet", table_of(*MIXED), CAPTIONS)
    for least, status in ((0.3, 0), (0.5, 1)):
        out = tmp_path / str(status) / "mixed.check.json"
        done = run(
            repository, "check_captions.py", "--nouns", tmp_path / "nouns.parquet", "--captions",
            tmp_path / "mixed.parquet", "--out", out, "--kept", tmp_path / "kept.parquet", "--min-yield", least,
        )  # fmt: skip
        assert done.returncode == status, done.stderr
        assert "Traceback" not in done.stderr
        assert ("Only 33.3% of the captions are kept" in done.stderr) == (status == 1)
        report = json.loads(out.read_text())
        assert (report["source"], report["kept"], report["captions"]) == ("mixed", 2, 6)
        assert "33.3%" in out.with_suffix(".md").read_text()
        assert read_table(tmp_path / "kept.parquet", CAPTIONS, "captions")["targets"].list.len().to_list() == [2, 1]


def test_imported_captions_are_a_table_of_captions_and_the_nouns_that_no_lexicon_has_are_listed(
    repository: Path, check_nouns: pl.DataFrame, tmp_path: Path
) -> None:
    write_table(tmp_path / "nouns.parquet", check_nouns, LEXICON)
    (tmp_path / "published.json").write_text(json.dumps(PUBLISHED))
    done = run(
        repository, "import_captions.py", "--nouns", tmp_path / "nouns.parquet", "--published",
        tmp_path / "published.json", "--out", tmp_path / "published.parquet", "--unmatched", tmp_path / "left.txt",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "1 dropped: no form of it is in the lexicon" in done.stdout
    assert (tmp_path / "left.txt").read_text() == "unicorn\n"
    assert len(read_table(tmp_path / "published.parquet", CAPTIONS, "captions")) == 6


def test_imported_prompts_are_template_files_that_the_captions_stage_reads(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "prompts.json").write_text(json.dumps(PROMPTS))
    done = run(
        repository, "import_templates.py", "--prompts", tmp_path / "prompts.json", "--collections", "A | B",
        "--singular-templates", tmp_path / "one.tsv", "--plural-templates", tmp_path / "many.tsv",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    templates = Templates.read(tmp_path / "one.tsv", tmp_path / "many.tsv")
    assert [len(templates.singular), len(templates.plural)] == [6, 4]
    assert sum(template.weight for template in templates.singular) == 11
