"""Faults and kills while a language model judges: no byte is another, nothing is paid twice."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

from judge_server import JudgeServer
from llm_judging import MANY, judge_command, make_place, many_truth, nothing_paid_twice, run_judge, settings, sql

from nounflow.annotation.log import read_records


def test_faults_and_kills_change_no_byte_and_nothing_answered_is_asked_again(repository: Path, tmp_path: Path) -> None:
    (calm := tmp_path / "calm").mkdir()
    (rough := tmp_path / "rough").mkdir()
    for folder in (calm, rough):
        make_place(folder, MANY)
    with JudgeServer(many_truth()) as server:
        assert run_judge(repository, calm, settings(server.url, calm)).returncode == 0
        n_questions = server.votes_asked.total()
    kills = 0
    with JudgeServer(many_truth(), trouble=True, delay_s=0.005) as server:
        values = settings(server.url, rough)
        for until in (8, n_questions // 2, n_questions):
            child = subprocess.Popen(
                judge_command(repository, rough, values), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
            )
            while child.poll() is None and server.votes_asked.total() < until:
                time.sleep(0.002)
            if child.poll() is None:
                child.kill()
                kills += 1
            child.communicate()
        done = run_judge(repository, rough, values)
        assert done.returncode == 0, done.stderr
    assert kills >= 2
    for name in ("openai.json", "openai.votes.tsv", "openai.counts.json"):
        assert (rough / name).read_bytes() == (calm / name).read_bytes(), name
    nothing_paid_twice(rough / "ledger.sqlite")
    ids = [sorted(record.id for record in read_records(folder / "judgements.sqlite")) for folder in (calm, rough)]
    assert ids[0] == ids[1]


def test_errors_while_polling_and_kills_lose_no_paid_batch(repository: Path, tmp_path: Path) -> None:
    place = make_place(tmp_path, MANY)
    with JudgeServer(many_truth()) as server:
        batch = {"poll_s": 0.01, "max_requests": 20}
        values = settings(server.url, place, server={"mode": "batch", "batch": batch})
        batches = server.batches
        batches.on("retrieve", "500", "drop", "429:0", "503")
        batches.on("create", "drop_after", "good", "kill_after")
        batches.on("content", "cut_wire", "500", "kill")
        batches.fates("good", "late", "expired", "good", "half")
        kills = 0
        for _ in range(4):
            child = subprocess.Popen(judge_command(repository, place, values), stderr=subprocess.PIPE, text=True)
            batches.victim = child.pid
            _, said = child.communicate(timeout=60)
            batches.victim = None
            if child.returncode == 0:
                break
            assert child.returncode == -9, said
            kills += 1
        assert child.returncode == 0
        assert kills == 2
        paid = sum(server.answered[message] for message in server.votes_asked)
    answered = """
        SELECT count(DISTINCT requests.id) FROM requests JOIN sendings ON sendings.request = requests.id
        JOIN endings ON endings.sending = sendings.id
        WHERE endings.outcome = 'answered' AND requests.prompt_version = 'judgements-1'"""
    assert sql(place / "ledger.sqlite", answered) == [(paid,)]  # each question was answered, and so paid, once
    assert paid >= 3 * len(MANY)
    nothing_paid_twice(place / "ledger.sqlite")
    assert json.loads((place / "openai.counts.json").read_text())["flows"][0]["dropped"] == {}
