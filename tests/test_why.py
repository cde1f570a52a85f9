"""What would run, and why, in words; how far things are."""

from __future__ import annotations

import os

from nounflow.workflow.dry_run import DryRun, read
from nounflow.workflow.status import by_rule, last_line, running
from nounflow.workflow.why import as_text, reasons

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


def test_a_dry_run_is_read_back():
    run = read(OUTPUT)
    assert run.rules == {"merge_caches": 1, "train_decoder": 2}
    assert [message for message, _ in run.jobs] == [
        "Training the decoder small",
        "Merging",
        "Training the decoder other",
    ]


def test_changed_settings_are_named_key_by_key_and_code_by_its_digest():
    causes = dict(reasons(read(OUTPUT)).causes)
    assert causes["Training the decoder small"] == (
        "ema: nothing -> null",
        "training.samples: 4096 -> 8192",
        "its code has changed (or that of a module it imports)",
    )


def test_a_job_with_a_cause_of_its_own_stands_before_those_that_only_follow():
    found = reasons(read(OUTPUT))
    assert dict(found.causes)["Merging"] == ("missing output files: results/a.json",)
    assert found.followers == ("Training the decoder other",)
    assert as_text(found).endswith("From these follow 1 more:\n    Training the decoder other")


def test_nothing_to_do_is_said():
    assert as_text(reasons(read("Nothing to be done (all requested files are present and up to date)."))).startswith(
        "Nothing"
    )


def test_jobs_are_counted_by_rule():
    assert by_rule(DryRun((), {"a": 3, "b": 1}), DryRun((), {"a": 1})) == [("a", 2, 1), ("b", 1, 0)]


def test_only_logs_that_grew_lately_and_have_not_ended_count_as_running(tmp_path):
    for name, text, age in (
        ("now", "training: 10 of 20\rtraining: 11 of 20\r", 5),
        ("ended", "done in 3.0 s\n", 5),
        ("failed", "error: no\n", 5),
        ("old", "training: 1 of 20\n", 9999),
        ("empty", "", 5),
    ):
        path = tmp_path / "logs" / f"{name}.log"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        os.utime(path, (1_000_000 - age, 1_000_000 - age))
    assert [(job.log.stem, job.line) for job in running(tmp_path / "logs", now=1_000_000)] == [
        ("now", "training: 11 of 20")
    ]
    assert last_line(tmp_path / "logs/empty.log") == ""
