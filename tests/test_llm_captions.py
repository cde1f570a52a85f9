"""Captions by a language model: a real server on loopback, the real command, the real ledger."""

from __future__ import annotations

import contextlib
import json
import random
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from caption_server import CaptionServer, TroubledServer
from llm_asking import verdict_counts

from nounflow.captions.answers import read_answer
from nounflow.captions.llm import noun_tasks, request_of
from nounflow.config.captions import LLMCaptionsConfig
from nounflow.llm.ledger import Ledger
from nounflow.llm.requests import Question, Request
from nounflow.schemas.tables import CAPTIONS, LEXICON, read_lexicon, read_table, write_table

FEW = [("robin", "robins", 4.0), ("crane", "cranes", 2.0), ("kettle", "kettles", 1.0), ("scissors", None, 1.0)]
MANY = "apple banana basket bell bicycle blanket book bottle bucket candle carpet chair clock coat drum engine feather "
MANY += "flag flute guitar hammer helmet kite ladder lantern lemon magnet mirror needle onion orange pencil pillow"


@pytest.fixture
def lexicon(tmp_path: Path) -> Path:
    """Three nouns in two numbers, and one that has only one."""
    return write_lexicon(tmp_path / "nouns.parquet", FEW)


def write_lexicon(path: Path, rows: list[tuple[str, str | None, float]]) -> Path:
    table = pl.DataFrame(
        [
            {
                "id": i, "key": f"k{i}", "noun": noun, "canon": noun, "kind": "artifact",
                "synsets": [f"n{i:08d}"], "sense_keys": [f"{noun}%1:06:00::"],
                "gloss": f"the gloss of {noun}", "hypernyms": [f"parent of {noun}", "thing"],
                "hypernym_synsets": [f"n1{i:07d}", "n20000000"],
                "singulars": [noun] if plural else [], "singular_shares": [0.75] if plural else [],
                "plurals": [plural or noun], "plural_shares": [0.25 if plural else 1.0],
                "countability": "count", "frequency": 1e-6, "weight": weight,
            }
            for i, (noun, plural, weight) in enumerate(rows)
        ],
        schema=pl.DataFrame(LEXICON.empty_table()).schema,
    )  # fmt: skip
    write_table(path, table, LEXICON)
    return path


def sql(path: Path, query: str) -> list[tuple[Any, ...]]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def settings(url: str, **changes: Any) -> dict[str, Any]:
    server = {
        "base_url": url, "model": "tiny", "budget_usd": 1.0, "prices": {"tiny": {"input": 1.0, "output": 2.0}},
        "first_wait_s": 0.01, "max_output_tokens": 100, "max_retry_tokens": 200,
    }  # fmt: skip
    return {"server": {**server, **changes.pop("server", {})}, "captions_per_noun": 6, **changes}


def ask_command(repository: Path, folder: Path, lexicon: Path, values: dict[str, Any], *options: str) -> list[str]:
    return [
        sys.executable, str(repository / "workflow_scripts/ask_captions.py"), "--nouns", str(lexicon), "--settings",
        json.dumps(values), "--ledger", str(folder / "ledger.sqlite"), "--out", str(folder / "llm.parquet"), *options,
    ]  # fmt: skip


def write(
    repository: Path, folder: Path, lexicon: Path, values: dict[str, Any], *options: str
) -> subprocess.CompletedProcess[str]:
    command = ask_command(repository, folder, lexicon, values, *options)
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_captions_are_written_checked_and_reported_and_a_rerun_pays_nothing(
    repository: Path, tmp_path: Path, lexicon: Path
) -> None:
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


def test_more_captions_later_ask_only_what_was_not_asked(repository: Path, tmp_path: Path, lexicon: Path) -> None:
    with CaptionServer() as server:
        write(repository, tmp_path, lexicon, settings(server.url, captions_per_noun=3, attempts_per_noun=1))
        once = server.asked.copy()
        write(repository, tmp_path, lexicon, settings(server.url, captions_per_noun=40, attempts_per_noun=2))
    asked = {message: n for message, n in server.asked.items() if "with the word" in message}
    assert set(asked.values()) == {2}
    assert {message for message in once if "with the word" in message} == set(asked)


def test_nouns_that_stay_short_are_named_with_the_reason(repository: Path, tmp_path: Path, lexicon: Path) -> None:
    with CaptionServer() as server:
        done = write(repository, tmp_path, lexicon, settings(server.url, captions_per_noun=30, attempts_per_noun=2))
    assert done.returncode == 0, done.stderr
    short = pl.read_csv(tmp_path / "llm.quarantine.tsv", separator="\t")
    assert len(short) == 4
    assert (short["reason"].str.len_chars() > 5).all()


def test_a_spent_budget_is_one_message_leaves_no_captions_and_can_go_on(
    repository: Path, tmp_path: Path, lexicon: Path
) -> None:
    with CaptionServer() as server:
        poor = settings(server.url, server={"budget_usd": 1e-9})
        done = write(repository, tmp_path, lexicon, poor)
        assert done.returncode == 1
        assert "budget" in done.stderr
        assert "Traceback" not in done.stderr
        assert not (tmp_path / "llm.parquet").exists()
        assert write(repository, tmp_path, lexicon, settings(server.url)).returncode == 0


def test_a_model_without_a_price_or_a_server_is_refused(repository: Path, tmp_path: Path, lexicon: Path) -> None:
    for values, words in (
        (settings("http://127.0.0.1:9/v1", server={"prices": {}}), "price"),
        ({}, "No language model"),
    ):
        done = write(repository, tmp_path, lexicon, values)
        assert done.returncode == 1
        assert words in done.stderr


def test_a_question_tells_the_sense_and_does_not_depend_on_quotas(lexicon: Path) -> None:
    nouns = read_lexicon(lexicon)
    few, many = (LLMCaptionsConfig(captions_per_noun=n) for n in (2, 50))
    for one, other in zip(noun_tasks(nouns, few), noun_tasks(nouns, many), strict=True):
        assert one.quota < other.quota
        assert request_of(one, 0, few) == request_of(other, 0, many)
    text = request_of(noun_tasks(nouns, few)[1], 0, few).messages[1]["content"]
    assert "the gloss of crane" in text
    assert "parent of crane" in text
    assert '"cranes" (plural)' in text


@pytest.mark.parametrize(
    "text",
    [
        '```json\n{"singular": ["a"], "plural": []}\n```',
        '<think>They want {"singular": [...]} of me.</think>{"singular": ["a"], "plural": []}',
        '{"captions": {"singular": ["a"]}}',
        '{"singular": ["a"], "plural": null}',
    ],
)
def test_captions_are_read_wherever_they_stand(text: str) -> None:
    assert read_answer(text) == {"singular": ["a"], "plural": []}


@pytest.mark.parametrize("text", ["none", "[1]", '{"singular": "a"}', '{"singular": [1], "plural": []}'])
def test_what_holds_no_captions_is_not_read(text: str) -> None:
    with pytest.raises(ValueError, match="no JSON"):
        read_answer(text)


# --- verdicts ---


def test_every_answer_has_a_verdict_with_its_reasons_and_only_news_are_added(
    repository: Path, tmp_path: Path, lexicon: Path
) -> None:
    ledger = tmp_path / "ledger.sqlite"
    with TroubledServer(trouble=False) as server:
        values = settings(server.url, attempts_per_noun=1)
        assert write(repository, tmp_path, lexicon, values).returncode == 0
        requests = sql(ledger, "SELECT count(*) FROM requests WHERE prompt_version NOT LIKE 'probe%'")[0][0]
        verdicts = sql(ledger, "SELECT request, accepted, reason FROM verdicts ORDER BY id")
        assert len({request for request, _, _ in verdicts}) == len(verdicts) == requests == 4
        assert any(reason.startswith("kept: ") and "talk about the answer: " in reason for _, _, reason in verdicts)
        assert write(repository, tmp_path, lexicon, values).returncode == 0
        assert sql(ledger, "SELECT request, accepted, reason FROM verdicts ORDER BY id") == verdicts
        write(repository, tmp_path, lexicon, values, "--checks", '{"min_words": 10}')
    later = sql(ledger, "SELECT request, accepted, reason FROM verdicts ORDER BY id")
    assert later[:4] == verdicts
    assert len(later) > 4
    assert all("shorter than 10 words" in reason for _, _, reason in later[4:])


def test_what_is_news_among_verdicts_is_written_and_the_latest_counts(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        questions = [
            Question.of(
                Request(item=f"noun {i}", messages=({"role": "user", "content": "?"},), prompt_version="1"), "m", {}
            )
            for i in range(50)
        ]
        for question in questions:
            ledger.record_sending(question, max_output_tokens=1, worst_usd=0).result()
        for turn in range(3):
            for question in questions:
                ledger.record_verdict(question.key, turn < 2, f"turn {turn // 2}").result()
        assert verdict_counts(ledger) == {"turn 1": len(questions)}
        counts = sql(ledger.path, "SELECT count(*), count(DISTINCT request) FROM verdicts")
        assert counts == [(2 * len(questions), len(questions))]


# --- faults and kills ---


def test_faults_and_kills_change_no_byte_and_no_answered_request_is_sent_again(
    repository: Path, tmp_path: Path
) -> None:
    """The real command, killed at random points of asking and of writing, and started again until it ends."""
    lexicon = write_lexicon(tmp_path / "nouns.parquet", [(word, f"{word}s", 1.0 + len(word)) for word in MANY.split()])
    (calm := tmp_path / "calm").mkdir()
    (rough := tmp_path / "rough").mkdir()
    options = {"captions_per_noun": 5, "attempts_per_noun": 2, "captions_per_request": 6}
    patient = {"concurrency": 4, "max_attempts": 6, "first_wait_s": 0.001, "max_wait_s": 0.05}
    with TroubledServer(trouble=False) as server:
        done = write(repository, calm, lexicon, settings(server.url, server=patient, **options))
        assert done.returncode == 0, done.stderr
        n_questions = server.asked.total()
    dice = random.Random(5)
    kills = 0
    with TroubledServer(delay_s=0.005) as server:
        command = ask_command(repository, rough, lexicon, settings(server.url, server=patient, **options))
        for until in (dice.randrange(5, 30), dice.randrange(35, n_questions), 10**9):
            child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            while child.poll() is None and server.asked.total() < until:
                time.sleep(0.002)
                if until == 10**9 and list(rough.glob(".llm.parquet*")):  # it writes
                    break
            if child.poll() is None:
                child.kill()
                kills += 1
            child.communicate()
            assert until == 10**9 or not (rough / "llm.parquet").exists()
        asked = server.asked.copy()
        done = write(repository, rough, lexicon, settings(server.url, server=patient, **options))
        assert done.returncode == 0, done.stderr
        assert server.asked == asked  # all was answered before the last kill
    assert kills >= 2  # the third is a race with the end of writing
    assert (rough / "llm.parquet").read_bytes() == (calm / "llm.parquet").read_bytes()
    assert (rough / "llm.quarantine.tsv").read_bytes() == (calm / "llm.quarantine.tsv").read_bytes()
    reports = [json.loads((folder / "llm.check.json").read_text()) for folder in (rough, calm)]
    assert [report.pop("usage")["calls"] for report in reports] == [n_questions - 1] * 2  # without the probe
    assert {**reports[0], "usd_per_1000_kept": 0} == {**reports[1], "usd_per_1000_kept": 0}
    again = """
        SELECT count(*) FROM sendings AS later JOIN sendings AS earlier USING (request)
        JOIN endings ON endings.sending = earlier.id
        JOIN requests ON requests.id = later.request AND requests.prompt_version NOT LIKE 'probe%'
        WHERE later.id > earlier.id AND endings.outcome IN ('answered', 'refused')
        AND endings.raw NOT LIKE '%"finish_reason": "length"%'"""
    assert sql(rough / "ledger.sqlite", again) == [(0,)]
    [(sendings,)] = sql(rough / "ledger.sqlite", "SELECT count(*) FROM sendings")
    assert n_questions < asked.total() <= sendings
    for folder in (rough, calm):
        with Ledger.read(folder / "ledger.sqlite") as ledger:
            reports.append(verdict_counts(ledger))
    assert reports[2] == reports[3]
