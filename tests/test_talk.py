"""What is kept of Snakemake's talk."""

from __future__ import annotations

import logging

from nounflow.workflow.talk import LessTalk


def kept(quiet: bool, *messages: str) -> list[str]:
    heard = LessTalk(quiet)
    return [text for text in messages if heard.filter(logging.LogRecord("", 0, "", 0, text, None, None))]


def test_what_would_be_said_each_second_is_said_once() -> None:
    again = "Will exit after finishing currently running jobs (scheduler)."
    assert kept(False, "one", again, again, "two", again) == ["one", again, "two"]


def test_a_quiet_run_hears_nothing_of_the_scheduler_and_all_errors() -> None:
    messages = ("Select jobs to execute...", "Execute 1 jobs...", "Error in rule score")
    assert kept(True, *messages) == ["Error in rule score"]
    assert kept(False, *messages) == list(messages)
