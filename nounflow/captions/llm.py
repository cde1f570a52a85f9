"""Captions from a language model: what it is asked, what of its answers is kept, and when enough is enough.

Each noun is asked about in rounds. Each round asks for the same number of captions, whatever came before, so that other
checks or quotas change no question and every earlier answer still counts.
"""

from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

import polars as pl

from nounflow.captions.answers import CaptionAnswers, NounTask
from nounflow.captions.quotas import quotas
from nounflow.captions.templates import Number
from nounflow.config.captions import LLMCaptionsConfig
from nounflow.files import sha256_json
from nounflow.llm.client import LLMClient
from nounflow.llm.ledger import Ledger
from nounflow.llm.requests import Outcome, Request

PROMPT_VERSION = "captions-1"
_MOST_FOR_ONE = 4  # a noun's quota lies between a fourth of the mean and so many times the mean

_SYSTEM = (
    "You write captions of photographs. Each is one sentence that says what can be seen: the thing itself, where it "
    "is, what it looks like, what is done with it. No names of people, no feelings, nothing that a camera cannot see, "
    "no remark about the task. Every caption shows another scene."
)
_LIST = {"type": "array", "items": {"type": "string"}}
SCHEMA = {
    "type": "object",
    "properties": {"singular": _LIST, "plural": _LIST},
    "required": ["singular", "plural"],
    "additionalProperties": False,
}


def noun_tasks(nouns: pl.DataFrame, settings: LLMCaptionsConfig) -> list[NounTask]:
    """A task for each noun of a table of schema `LEXICON`; quotas follow the nouns' weights."""
    mean = settings.captions_per_noun
    asked = quotas(nouns["weight"].to_numpy(), mean, max(1, round(mean / 4)), round(mean * _MOST_FOR_ONE))
    return [_task(row, int(quota)) for row, quota in zip(nouns.iter_rows(named=True), asked, strict=True)]


def request_of(task: NounTask, attempt: int, settings: LLMCaptionsConfig) -> Request:
    """The question of one round. Its key holds a digest of its words: another gloss is another question."""
    numbers = task.asked_for(settings.captions_per_request)
    wanted = " and ".join(f'{n} with the word "{task.forms[number]}" ({number})' for number, n in numbers.items())
    said = (
        f"The thing: {task.meaning}.\nWrite {wanted}, each with that very form, in this sense and no other. "
        f'Answer with a JSON object of two lists of strings, "singular" and "plural".'
    )
    messages = ({"role": "system", "content": _SYSTEM}, {"role": "user", "content": said})
    item = f"{task.key} {sha256_json(list(messages))[:16]}"
    return Request(item=item, messages=messages, prompt_version=PROMPT_VERSION, schema=SCHEMA, attempt=attempt)


def first_requests(tasks: Iterable[NounTask], settings: LLMCaptionsConfig) -> Iterator[Request]:
    """The requests that a run needs if every caption is kept: what an estimate is made of."""
    for task in tasks:
        for attempt in range(min(-(-task.quota // settings.captions_per_request), settings.attempts_per_noun)):
            yield request_of(task, attempt, settings)


async def write_captions(
    client: LLMClient, tasks: list[NounTask], answers: CaptionAnswers, ledger: Ledger, settings: LLMCaptionsConfig
) -> AsyncIterator[tuple[Outcome, int]]:
    """Ask round after round until each noun has its quota or its attempts are used up; fills tasks and answers.

    Yields:
        Each result once it is read, and how many captions it brought towards a quota.

    Raises:
        NounflowError: from the client: budget, access, deadline. What was answered is in the ledger.
    """
    waiting = tasks
    for attempt in range(settings.attempts_per_noun):
        by_item = {request_of(task, attempt, settings).item: task for task in waiting}
        requests = (request_of(task, attempt, settings) for task in waiting)
        async for result in client.ask(requests):
            task = by_item[result.request.item]
            before = min(task.kept, task.quota)
            if (verdict := answers.take(task, result)) is not None:
                ledger.record_verdict(result.key, *verdict)
            yield result, min(task.kept, task.quota) - before
        waiting = [task for task in waiting if task.kept < task.quota and not task.given_up]


def _task(row: dict[str, Any], quota: int) -> NounTask:
    forms: dict[Number, str] = {}
    shares: dict[Number, float] = {}
    numbers: tuple[Number, ...] = ("singular", "plural")
    for number in numbers:
        pairs = sorted(zip(row[f"{number}_shares"] or (), row[f"{number}s"] or (), strict=True), reverse=True)
        shares[number] = sum(share for share, _ in pairs)
        if shares[number] > 0:
            forms[number] = pairs[0][1]
    kinds = ", a kind of ".join(row["hypernyms"][:2])
    meaning = f"{row['noun']}, a kind of {kinds}" if kinds else row["noun"]
    return NounTask(
        id=row["id"],
        key=row["key"],
        weight=row["weight"],
        forms=forms,
        plural_share=shares["plural"] / (shares["singular"] + shares["plural"]),
        meaning=f"{meaning} ({row['gloss']})" if row["gloss"] else meaning,
        quota=quota,
    )
