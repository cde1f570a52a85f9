"""What would run, and why, in words; how far things are."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from tiny_workflow import Project

from nounflow.config.embedder import EmbedderConfig
from nounflow.workflow.dry_run import DryRun, read
from nounflow.workflow.model_files import own_files_digest
from nounflow.workflow.status import by_rule, last_start, unfinished
from nounflow.workflow.why import Reasons, as_text, reasons

OUTPUT = """Building DAG of jobs...
Job stats:
job              count
-------------  -------
merge_caches         1
train_decoder        2
all                  1
total                4


[Sat Nov 21 10:57:07 2026]
Job 0: Training the decoder small
Reason: Params have changed since last execution: Union of exclusive params before and now across all output: before: '{"training":{"samples":4096,"clip":1.0},"seed":1}', '0123456789abcdef' now: '{"training":{"samples":8192,"clip":1.0},"seed":1,"ema":null}', 'fedcba9876543210'
[Sat Nov 21 10:57:07 2026]
Job 3: Merging
Reason: Missing output files: results/a.json; Input files updated by another job: results/b.json
[Sat Nov 21 10:57:07 2026]
Job 4: Training the decoder other
Reason: Input files updated by another job: results/c.json, results/d.json
rule all:
    input: results/scores.tsv
"""  # noqa: E501


def test_a_dry_run_is_read_back() -> None:
    run = read(OUTPUT)
    assert run.rules == {"merge_caches": 1, "train_decoder": 2}
    assert [message for message, _ in run.jobs] == [
        "Training the decoder small",
        "Merging",
        "Training the decoder other",
    ]


def test_changed_settings_are_named_key_by_key_and_code_by_its_digest() -> None:
    causes = dict(reasons(read(OUTPUT)).causes)
    assert causes["Training the decoder small"] == (
        "ema: nothing -> null",
        "training.samples: 4096 -> 8192",
        "its code has changed (or that of a module it imports, or the files of a model of yours)",
    )


def test_a_job_with_a_cause_of_its_own_stands_before_those_that_only_follow() -> None:
    found = reasons(read(OUTPUT))
    assert dict(found.causes)["Merging"] == ("missing output files: results/a.json",)
    assert found.followers == ("Training the decoder other",)
    assert as_text(found).endswith("From these follow 1 more:\n    Training the decoder other")


def test_nothing_to_do_is_said() -> None:
    assert as_text(reasons(read("Nothing to be done (all requested files are present and up to date)."))).startswith(
        "Nothing"
    )


def test_jobs_are_counted_by_rule() -> None:
    assert by_rule(DryRun((), {"a": 3, "b": 1}), DryRun((), {"a": 1})) == [("a", 2, 1), ("b", 1, 0)]


def test_a_cause_behind_another_one_is_found_where_nothing_stands_before_the_job() -> None:
    alone = read(OUTPUT.replace("Reason: Input files updated by another job: results/c.json, results/d.json",
                                "Reason: Updated input files: resources/x.tsv"))  # fmt: skip
    found = reasons(read(OUTPUT), [alone])
    assert dict(found.causes)["Training the decoder other"] == ("updated input files: resources/x.tsv",)
    assert found.followers == ()


def test_a_long_list_of_what_follows_is_cut() -> None:
    text = as_text(Reasons((("a", ("b",)),), tuple(f"job {i}" for i in range(50)), changed=("train_head", "score")))
    assert len(text.splitlines()) < 30
    assert "and 30 more" in text
    assert text.endswith("have changed of: train_head, score")


def nounflow(project: Project, *words: str) -> str:
    command = [sys.executable, "-c", "from nounflow.cli import main; main()", *words]
    environment = {**os.environ, "PYTHONPATH": str(project.folder), "COLUMNS": "120"}
    done = subprocess.run(command, cwd=project.folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_of_a_finished_workflow_the_commands_say_what_there_is_to_say(finished: Project) -> None:
    assert nounflow(finished, "why", "--configfile", "tiny.yaml").startswith("Nothing would run")
    status = nounflow(finished, "status", "results/scores.tsv", "--configfile", "tiny.yaml")
    assert re.search(r"embed_texts +5 +0 *$", status, flags=re.MULTILINE)
    assert status.endswith("All is done.\n")
    plan = nounflow(finished, "plan", "tiny.yaml", "--usd-per-hour", "2")
    assert re.search(r"\b80 +nouns", plan)
    assert "USD at 2.0 an hour" in plan
    assert "train_decoder" in nounflow(finished, "costs")


def test_why_names_each_of_several_edits_also_where_one_lies_behind_another(project: Project) -> None:
    templates = project.folder / "resources/templates/singular.tsv"
    templates.write_text(templates.read_text().replace("a photo of", "a picture of", 1))
    project.configure(lambda config: config["runs"]["tiny"]["training"].update(learning_rate=0.001))
    shutil.copy(project.folder / "drawn/a.png", project.folder / "drawn/new.png")
    causes, followers = nounflow(project, "why", "--configfile", "tiny.yaml").split("From these follow")
    assert "Composing the captions m1 of tiny\n    updated input files: resources/templates/singular.tsv" in causes
    assert "Training the decoder tiny\n    training.learning_rate: 0.005 -> 0.001" in causes
    assert "Embedding the images of drawn with bundled\n    the images of its folder have changed" in causes
    assert "Training the head tiny_head" in followers
    assert len(causes.splitlines() + followers.splitlines()) < 40
    only = nounflow(project, "why", "results/image_embeddings/bundled/drawn.json", "--configfile", "tiny.yaml")
    assert only.splitlines()[0] == "Embedding the images of drawn with bundled"
    assert "decoder" not in only


def write_log(folder: Path, name: str, text: str, age: int, process: int | None = None) -> None:
    path = folder / f"{name}.log"
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text(f"# host: h\n# process: {process or os.getpid()} on {platform.node()}\n{text}" if text else "")
    os.utime(path, (1_000_000 - age, 1_000_000 - age))


def test_jobs_that_run_and_jobs_that_failed_or_died_are_told_apart(tmp_path: Path) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    for name, text, age, process in (
        ("now", "training: 10 of 20\rtraining: 11 of 20\r", 5, None),
        ("silent", "training: 1 of 20\n", 900, None),
        ("header_only", " ", 1, None),
        ("starting", "", 1, None),
        ("of_the_cache", "", 100, None),
        ("ended", "training: 20 of 20\ndone in 3.0 s, 5 MB of memory\n", 5, None),
        ("failed", "error: The disk is full\n  where: a\n  fix:   b\n", 5, None),
        ("killed", "training: 3 of 20\n", 5, gone.pid),
        ("before", "training: 1 of 20\n", 9999, None),
        ("slurm/rule_a/7", "Job 7: Training\n", 5, None),
    ):
        write_log(tmp_path, name, text, age, process)
    found = {job.log.stem: job for job in unfinished(tmp_path, since=1_000_000 - 1000, now=1_000_000)}
    assert {name: job.line for name, job in found.items() if job.runs} == {
        "now": "training: 11 of 20", "silent": "training: 1 of 20", "header_only": "started", "starting": "started",
    }  # fmt: skip
    assert {name: job.line for name, job in found.items() if not job.runs} == {
        "failed": "error: The disk is full", "killed": "training: 3 of 20",
    }  # fmt: skip
    assert found["silent"].seconds == 900


def test_a_job_of_another_machine_counts_as_running_until_its_log_says_otherwise(tmp_path: Path) -> None:
    (tmp_path / "far.log").write_text("# process: 999999999 on elsewhere\ntraining: 3 of 20\n")
    assert [job.runs for job in unfinished(tmp_path, since=0)] == [True]


def test_only_what_the_last_snakemake_ran_counts(tmp_path: Path) -> None:
    assert last_start(tmp_path) == 0
    for moment in ("2026-11-21T165452.433113", "2026-11-20T235959.000001"):
        path = tmp_path / f".snakemake/log/{moment}.snakemake.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(last_start(tmp_path))) == "2026-11-21 16:54:52"


def test_other_weights_in_the_place_of_a_model_of_ones_own_are_noticed(tmp_path: Path) -> None:
    weights, checkpoint = tmp_path / "model/model.safetensors", tmp_path / "mine.pt"
    weights.parent.mkdir()
    for path in (weights, checkpoint):
        path.write_bytes(b"old")
    specs = [
        f"transformers:{tmp_path}/model",
        f"openclip:local-dir:{tmp_path}/model",
        f"openclip:ViT-B-32@{checkpoint}",
    ]
    embedders = [EmbedderConfig(spec=spec) for spec in specs]
    before = [own_files_digest(embedder) for embedder in embedders]
    assert before == [own_files_digest(embedder) for embedder in embedders]
    for path in (weights, checkpoint):
        path.write_bytes(b"newer")
    assert not set(before) & {"", *(own_files_digest(embedder) for embedder in embedders)}
    for spec in ("bundled:minilm-conse", "openclip:ViT-B-32/openai", "transformers:google/siglip-base-patch16-224"):
        assert own_files_digest(EmbedderConfig(spec=spec)) == ""  # what the code's digest already says stays as it was
