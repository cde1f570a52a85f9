"""Captions by a language model: a real server on loopback, the real command, the real ledger."""

from __future__ import annotations

import json
import subprocess
import sys

import polars as pl
import pytest
from caption_server import CaptionServer

from nounflow.captions.answers import read_answer
from nounflow.captions.llm import noun_tasks, request_of
from nounflow.config.captions import LLMCaptionsConfig
from nounflow.schemas.tables import CAPTIONS, NOUNS, read_table, write_table


@pytest.fixture
def lexicon(tmp_path):
    """Three nouns in two numbers, and one that has only one."""
    rows = [("robin", "robins", 4.0), ("crane", "cranes", 2.0), ("kettle", "kettles", 1.0), ("scissors", None, 1.0)]
    table = pl.DataFrame(
        [
            {
                "id": i, "key": f"k{i}", "noun": noun, "canon": noun, "kind": "artifact",
                "synsets": [f"{noun}%1:06:00::"],
                "gloss": f"the gloss of {noun}", "hypernyms": [f"parent of {noun}", "thing"],
                "singulars": [noun] if plural else [], "singular_shares": [0.75] if plural else [],
                "plurals": [plural or noun], "plural_shares": [0.25 if plural else 1.0],
                "frequency": 1e-6, "weight": weight,
            }
            for i, (noun, plural, weight) in enumerate(rows)
        ],
        schema=pl.DataFrame(NOUNS.empty_table()).schema,
    )  # fmt: skip
    path = tmp_path / "nouns.parquet"
    write_table(path, table, NOUNS)
    return path


def settings(url, **changes):
    server = {
        "base_url": url, "model": "tiny", "budget_usd": 1.0, "prices": {"tiny": {"input": 1.0, "output": 2.0}},
        "first_wait_s": 0.01, "max_output_tokens": 100, "longest_output_tokens": 200,
    }  # fmt: skip
    return {"server": {**server, **changes.pop("server", {})}, "captions_per_noun": 6, **changes}


def write(repository, tmp_path, lexicon, values):
    return subprocess.run(
        [
            sys.executable, str(repository / "workflow_scripts/ask_captions.py"), "--nouns", str(lexicon), "--settings",
            json.dumps(values), "--ledger", str(tmp_path / "ledger.sqlite"), "--out", str(tmp_path / "llm.parquet"),
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_captions_are_written_checked_and_reported_and_a_rerun_pays_nothing(repository, tmp_path, lexicon):
    with CaptionServer() as server:
        done = write(repository, tmp_path, lexicon, settings(server.url))
        assert done.returncode == 0, done.stderr
        asked, first = server.asked.total(), (tmp_path / "llm.parquet").read_bytes()
        again = write(repository, tmp_path, lexicon, settings(server.url))
        assert again.returncode == 0, again.stderr
        assert server.asked.total() == asked
    assert (tmp_path / "llm.parquet").read_bytes() == first
    table = read_table(tmp_path / "llm.parquet", CAPTIONS, "captions")
    assert table["targets"].list.first().n_unique() == 4
    assert not table["text"].str.contains("Sure").any()
    assert table.filter(pl.col("template") == "llm-plural")["text"].str.contains("robins").any()
    by_noun = table.group_by(pl.col("targets").list.first().alias("id")).agg(pl.col("weight").sum()).sort("id")
    assert by_noun["weight"].to_list() == pytest.approx([4.0, 2.0, 1.0, 1.0])
    report = json.loads((tmp_path / "llm.check.json").read_text())
    assert report["usage"]["calls"] > 0
    assert report["usd_per_1000_kept"] > 0
    assert any("caption alone" in reason for reason in report["refused"])


def test_more_captions_later_ask_only_what_was_not_asked(repository, tmp_path, lexicon):
    with CaptionServer() as server:
        write(repository, tmp_path, lexicon, settings(server.url, captions_per_noun=3))
        before = server.asked_questions.total()
        write(repository, tmp_path, lexicon, settings(server.url, captions_per_noun=3, attempts_per_noun=1))
        assert server.asked_questions.total() == before


def test_nouns_that_stay_short_are_named_with_the_reason(repository, tmp_path, lexicon):
    with CaptionServer() as server:
        done = write(repository, tmp_path, lexicon, settings(server.url, captions_per_noun=30, attempts_per_noun=2))
    assert done.returncode == 0, done.stderr
    short = pl.read_csv(tmp_path / "llm.quarantine.tsv", separator="\t")
    assert len(short) == 4
    assert short["reason"].str.len_chars().min() > 5


def test_a_spent_budget_is_one_message_leaves_no_captions_and_can_go_on(repository, tmp_path, lexicon):
    with CaptionServer() as server:
        poor = settings(server.url, server={"budget_usd": 1e-9})
        done = write(repository, tmp_path, lexicon, poor)
        assert done.returncode == 1
        assert "budget" in done.stderr
        assert "Traceback" not in done.stderr
        assert not (tmp_path / "llm.parquet").exists()
        assert write(repository, tmp_path, lexicon, settings(server.url)).returncode == 0


def test_a_model_without_a_price_or_a_server_is_refused(repository, tmp_path, lexicon):
    for values, words in (
        (settings("http://127.0.0.1:9/v1", server={"prices": {}}), "price"),
        ({}, "No language model"),
    ):
        done = write(repository, tmp_path, lexicon, values)
        assert done.returncode == 1
        assert words in done.stderr


def test_a_question_tells_the_sense_and_does_not_depend_on_quotas(lexicon):
    nouns = read_table(lexicon, NOUNS, "lexicon")
    few, many = (LLMCaptionsConfig(captions_per_noun=n) for n in (2, 50))
    for one, other in zip(noun_tasks(nouns, few), noun_tasks(nouns, many), strict=True):
        assert one.quota < other.quota
        assert request_of(one, 0, few) == request_of(other, 0, many)
    text = request_of(noun_tasks(nouns, few)[1], 0, few).messages[1]["content"]
    assert "the gloss of crane" in text
    assert "parent of crane" in text
    assert '"cranes" (plural)' in text


def test_an_answer_in_a_fence_is_read_and_nonsense_is_not():
    assert read_answer('```json\n{"singular": ["a"], "plural": []}\n```') == {"singular": ["a"], "plural": []}
    for text in ("none", "[1]", '{"singular": "a"}', '{"singular": [1], "plural": []}'):
        with pytest.raises((ValueError, AttributeError)):
            read_answer(text)
