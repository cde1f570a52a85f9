"""Captions from a language model: what it is asked, what of its answers is kept, and when enough is enough.

Each noun is asked about in rounds. Each round asks for the same number of captions, whatever came before, so that other
checks or quotas change no question and every earlier answer still counts.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from nounflow.captions.checks import CaptionChecks, Checked, with_secondary
from nounflow.captions.near_duplicates import Kept
from nounflow.captions.quotas import quotas
from nounflow.captions.table import Rows, merge_equal_texts, record_nouns
from nounflow.captions.templates import Number
from nounflow.config.captions import ChecksConfig, LLMCaptionsConfig
from nounflow.counts import Counts
from nounflow.files import sha256_json
from nounflow.llm.client import LLMClient
from nounflow.llm.requests import Failure, Outcome, Request

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


@dataclass
class NounTask:
    """A noun to be written about, and what it has so far."""

    id: int
    key: str
    weight: float
    forms: dict[Number, str]  # the commonest form of each number that the noun has
    plural_share: float
    meaning: str
    quota: int
    captions: list[tuple[Number, str, Checked]] = field(default_factory=list)  # kept and refused, as they came
    unreadable: int = 0  # answers
    given_up: str = ""  # why it is asked about no more, before its quota
    earlier: Kept | None = None

    def kept(self, number: Number | None = None) -> int:
        """Captions that passed the checks, of one number or of both."""
        return sum(checked.fault is None and number in (None, named) for named, _text, checked in self.captions)

    def asked_for(self, n: int) -> dict[Number, int]:
        """How many of `n` captions each number gets; both get one where the noun has both."""
        if len(self.forms) == 1:
            return dict.fromkeys(self.forms, n)
        plural = min(max(round(self.plural_share * n), 1), n - 1)
        return {"singular": n - plural, "plural": plural}


def noun_tasks(nouns: pl.DataFrame, settings: LLMCaptionsConfig) -> list[NounTask]:
    """A task for each noun of a table of schema `NOUNS`; quotas follow the nouns' weights."""
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
    client: LLMClient, tasks: list[NounTask], checks: CaptionChecks, settings: LLMCaptionsConfig
) -> AsyncIterator[tuple[Outcome | Failure, int]]:
    """Ask round after round until each noun has its quota or its attempts are used up; fills the tasks.

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
            before = min(task.kept(), task.quota)
            _take(task, result, checks)
            yield result, min(task.kept(), task.quota) - before
        waiting = [task for task in waiting if task.kept() < task.quota and not task.given_up]


def read_answer(text: str) -> dict[Number, list[str]]:
    """The captions of one answer, by number.

    Raises:
        ValueError: not the JSON that was asked for.
    """
    start, stop = text.find("{"), text.rfind("}")  # some models wrap their JSON in a fence
    value = json.loads(text[start : stop + 1])
    numbers: tuple[Number, ...] = ("singular", "plural")
    found: dict[Number, list[str]] = {number: value.get(number, []) for number in numbers}
    if not all(isinstance(texts, list) and all(isinstance(text, str) for text in texts) for texts in found.values()):
        raise ValueError("not two lists of strings")
    return found


def all_captions(tasks: Iterable[NounTask]) -> tuple[pl.DataFrame, list[Checked]]:
    """Every caption that came, kept or not, as rows of schema `CAPTIONS`, and what the checks say of each.

    The weights of a noun's kept captions sum to its weight; its numbers share it as in use.
    """
    rows, results = Rows(), []
    for task in tasks:
        kept = {number: task.kept(number) for number in task.forms}
        for number, text, checked in task.captions:
            share = task.plural_share if number == "plural" else 1 - task.plural_share
            share = 1.0 if sum(map(bool, kept.values())) < 2 else share
            rows.add(text, (task.id,), task.weight * share / max(kept.get(number, 0), 1), f"llm-{number}")
            results.append(checked)
    return rows.frame(), results


def kept_captions(rows: pl.DataFrame, results: list[Checked], checks: ChecksConfig) -> pl.DataFrame:
    """The captions that passed, further nouns as secondary targets, equal texts merged."""
    return merge_equal_texts(with_secondary(rows, results, checks.secondary_share))


def count_captions(results: list[Checked], table: pl.DataFrame, nouns: pl.DataFrame) -> Counts:
    """From answers to distinct texts: everything that is dropped, and why."""
    counts = Counts("captions")
    flow = counts.flow("llm: captions", len(results), "captions in readable answers")
    faults = Counter(result.fault for result in results if result.fault is not None)
    for fault, n in faults.most_common():
        flow.drop(n, fault)
    flow.drop(len(results) - faults.total() - len(table), "the same text as another one (merged)")
    flow.out(len(table), "distinct texts")
    record_nouns(counts, nouns, table, "no caption passed the checks")
    return counts


def quarantine(tasks: Iterable[NounTask]) -> pl.DataFrame:
    """Nouns short of their quota: noun key, kept, quota, and the commonest reasons."""
    short = [task for task in tasks if task.kept() < task.quota]
    return pl.DataFrame(
        {
            "key": [task.key for task in short],
            "kept": [task.kept() for task in short],
            "quota": [task.quota for task in short],
            "reason": [task.given_up or _reasons(task) for task in short],
        },
        schema={"key": pl.String, "kept": pl.Int64, "quota": pl.Int64, "reason": pl.String},
    )


def _reasons(task: NounTask) -> str:
    faults = Counter(checked.fault for _, _, checked in task.captions if checked.fault is not None)
    if task.unreadable:
        faults["answers that cannot be read"] = task.unreadable
    return "; ".join(f"{fault}: {n}" for fault, n in faults.most_common(3)) or "too few captions in its answers"


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


def _take(task: NounTask, result: Outcome | Failure, checks: CaptionChecks) -> None:
    """Read and check one answer."""
    if isinstance(result, Failure):
        task.given_up = f"no answer: {result.detail}"
        return
    if result.status == "refused":
        task.given_up = f"refused: {result.detail}"
        return
    if task.earlier is None:
        task.earlier = Kept(checks.settings.near_duplicate)
    for answer in result.texts:
        try:
            captions = read_answer(answer)
        except (ValueError, AttributeError):
            task.unreadable += 1
            continue
        for number, texts in captions.items():
            for text in map(str.strip, texts):
                task.captions.append((number, text, checks.check(text, (task.id,), number, task.earlier)))
