"""Language models in the real workflow: they write captions and judge, and are asked nothing twice."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import Any

import pytest
from caption_server import CaptionServer
from judge_server import JudgeServer
from tiny_workflow import MERGED, Project

from nounflow.annotation.log import DecisionLog
from nounflow.config.experiment import read_config
from nounflow.schemas.decisions import Decision, DecisionDraft
from nounflow.workflow.plan import lexicon_sizes, texts_of


def test_captions_of_a_language_model_become_part_of_the_training_set(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with CaptionServer() as server:
        model = {
            "base_url": server.url,
            "model": "tiny",
            "budget_usd": 1,
            "prices": {"tiny": {"input": 1, "output": 2}},
        }

        def ask(config: dict[str, Any]) -> None:
            config["captions"]["llm"] = {"server": model, "captions_per_noun": 4, "attempts_per_noun": 1}
            config["mixtures"] = {"m3_captions": {"llm": 2}}

        project.configure(ask)
        project.snakemake(MERGED)
        asked = server.asked.total()
        (project.folder / "results/captions/tiny/llm.parquet").unlink()
        project.snakemake("results/captions/tiny/llm.parquet")
        assert server.asked.total() == asked > 80
    manifest = json.loads((project.folder / MERGED).read_text())
    assert "llm" in manifest["mixture"]
    assert (project.folder / "ledgers/captions.sqlite").is_file()


def test_the_plan_names_the_texts_that_were_then_asked_for(finished: Project) -> None:
    config = read_config([finished.folder / "config/config.yaml", finished.folder / "tiny.yaml"])
    nouns, _notes = lexicon_sizes(config, finished.folder / "results/nouns")
    for source in ("m1", "m2", "m3"):
        counts = json.loads((finished.folder / f"results/captions/tiny/{source}.counts.json").read_text())
        assert texts_of(config, source, nouns["tiny"]) == counts["flows"][0]["in"]


def test_a_raised_budget_asks_nothing_again_and_another_model_does(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    target = "results/captions/tiny/llm.parquet"
    with CaptionServer() as server:
        model = {
            "base_url": server.url,
            "model": "tiny",
            "budget_usd": 1,
            "prices": {"tiny": {"input": 1, "output": 2}},
        }
        asked = {"server": model, "captions_per_noun": 4, "attempts_per_noun": 1}
        project.configure(lambda config: config["captions"].update(llm=asked))
        project.snakemake(target)

    def change(**changes: Any) -> None:
        project.configure(lambda config: config["captions"]["llm"]["server"].update(changes))

    change(budget_usd=7, concurrency=3, base_url="http://127.0.0.1:9/v1", timeout_s=9, first_wait_s=0.1,
           prices={"tiny": {"input": 2, "output": 2}, "small": {"input": 1, "output": 1}})  # fmt: skip
    project.configure(lambda config: config["captions"]["llm"].update(ledger="ledgers/other.sqlite", shards=2))
    assert project.would_run(target) == {}
    change(model="small")
    assert project.would_run(target) == {"ask_captions": 1}


def test_a_language_model_judges_once_and_again_only_for_what_changes_its_answers(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    target = "results/annotations/drawn/eyes.json"
    estimate = [sys.executable, "-c", "from nounflow.cli import main; main()", "annotations", "estimate"]
    estimate += ["--annotator", "eyes", "--image-set", "drawn", "--configfile", "tiny.yaml"]

    def calls() -> int:
        done = subprocess.run(estimate, cwd=project.folder, env={**os.environ, "PYTHONPATH": str(project.folder)},
                              capture_output=True, text=True, check=False)  # fmt: skip
        assert done.returncode == 0, done.stderr
        return int(re.findall(r"([\d,]+) calls to make", done.stdout)[0].replace(",", ""))

    with JudgeServer({}) as server:
        model = {
            "base_url": server.url,
            "model": "tiny",
            "budget_usd": 1,
            "prices": {"tiny": {"input": 1, "output": 2}},
        }
        judges = {"wordnet": {"kind": "wordnet"}, "eyes": {"kind": "openai", "server": model, "max_side": 64}}
        project.configure(lambda config: config.update(annotators=judges))
        expected = calls()
        project.snakemake(target)
        assert server.votes_asked.total() == expected > 10
        assert calls() == 0
    judged = json.loads((project.folder / target).read_text())
    assert set(judged["images"]) == {"a.png", "b.jpg", "moving.gif", "sub dir/it's c.png"}
    assert "tiny, voting rule" in judged["rule"]
    assert (project.folder / "results/annotations/drawn/eyes.votes.tsv").read_text().count("Something ") > 10
    with DecisionLog.read(project.folder / "ledgers/judgements.sqlite") as log:
        first = log.records()[0]
        assert isinstance(first, Decision)

    def change(**changes: Any) -> None:
        project.configure(lambda config: config["annotators"]["eyes"]["server"].update(changes))

    change(budget_usd=7, concurrency=3, base_url="http://127.0.0.1:9/v1")
    assert project.would_run(target) == {}
    with DecisionLog.open(project.folder / "ledgers/decisions.sqlite") as log:  # what people say comes in unasked
        draft = {"id": "a" * 32, "annotator": "ann", "tool": "test", "image": first.image, "noun": first.noun}
        log.append([DecisionDraft(kind="decision", category="incorrect", **draft)]).result()
    assert project.would_run(target) == {"ask_judgements": 1}
    project.snakemake(target)
    assert json.loads((project.folder / target).read_text())["agreement"]["pairs"] == 1
    change(max_output_tokens=900)
    assert project.would_run(target) == {"ask_judgements": 1}
    change(model="small", prices={"small": {"input": 1, "output": 1}})
    assert project.would_run(target) == {"ask_judgements": 1}
