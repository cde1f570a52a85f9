"""From a request to its question, from a body to what the ledger keeps, from there to what the asker gets."""

import asyncio
import itertools
from collections.abc import AsyncIterable, AsyncIterator

from nounflow.config.llm import LLMConfig, PriceConfig
from nounflow.errors import MismatchError
from nounflow.llm.answers import MalformedAnswerError, error_in, read_answer, read_usage
from nounflow.llm.faults import Fault, fault_of_error, is_final
from nounflow.llm.ledger import Ledger
from nounflow.llm.prices import settled_cost
from nounflow.llm.records import Ending, How, LedgerEntry
from nounflow.llm.requests import Outcome, Question, Request, Requests, Status

CHUNK = 500  # requests looked up in the ledger at a time: it is asked seldom, and memory stays small


def question_of(config: LLMConfig, request: Request) -> Question:
    """The request with its key. How it is sent, alone or in a batch, is no part of the key."""
    parameters = config.key_parameters() | {"schema": request.schema, "choices": request.choices}
    return Question.of(request, config.model, parameters)


async def chunks(requests: Requests) -> AsyncIterator[list[Request]]:
    """Lists of at most `CHUNK` requests."""
    if not isinstance(requests, AsyncIterable):
        iterator = iter(requests)
        while chunk := list(itertools.islice(iterator, CHUNK)):
            yield chunk
        return
    waiting: list[Request] = []
    async for request in requests:
        waiting.append(request)
        if len(waiting) == CHUNK:
            yield waiting
            waiting = []
    if waiting:
        yield waiting


async def looked_up(
    config: LLMConfig, ledger: Ledger, chunk: list[Request]
) -> list[tuple[Question, LedgerEntry | None]]:
    """The questions of a chunk, with what the ledger knows of each.

    Raises:
        MismatchError: it knows one with other words under the same version of its prompt.
    """
    questions = [question_of(config, request) for request in chunk]
    known = await asyncio.to_thread(ledger.look_up, [question.key for question in questions])
    for question in questions:
        entry, request = known.get(question.key), question.request
        if entry is not None and entry.messages_hash != request.messages_hash:
            raise MismatchError(
                f"The prompt for {request.item!r} has changed, but its version is still {request.prompt_version!r}",
                where=ledger.path,
                fix="raise the prompt's version, or go back to the prompt that was used",
            )
    return [(question, known.get(question.key)) for question in questions]


def room_of(config: LLMConfig, entry: LedgerEntry | None) -> int:
    """Most tokens of the answer: more where it was cut off before."""
    cut_off = entry is not None and entry.last is not None
    return config.max_retry_tokens if cut_off else config.max_output_tokens


def replay(config: LLMConfig, question: Question, entry: LedgerEntry | None) -> Outcome | None:
    """The outcome that the ledger holds; None if the server must be asked (again)."""
    if entry is None or entry.last is None:
        return None
    if entry.last.outcome == "refused" and not is_final(entry.last.detail):
        return None
    outcome = outcome_of(question, entry.last, replayed=True)
    if outcome.status == "truncated" and entry.room < config.max_retry_tokens:
        return None
    return outcome


def cut_off(question: Question, entry: LedgerEntry | None) -> Outcome | None:
    """What the ledger has of an answer that was cut off: it stands if there comes none with more room."""
    if entry is None or entry.last is None or entry.last.outcome == "refused":
        return None
    outcome = outcome_of(question, entry.last, replayed=True)
    return outcome if outcome.texts else None


def outcome_of(question: Question, ending: Ending, *, replayed: bool) -> Outcome:
    """Read an answer or refusal that the ledger holds."""
    usd = 0.0 if replayed else ending.charged_usd
    if ending.outcome == "refused":
        return Outcome(question.request, question.key, "refused", (), ending.detail, ending.usage, usd, replayed)
    answer = read_answer(ending.raw)
    status: Status = "truncated" if answer.truncated else "answered" if answer.texts else "refused"
    return Outcome(question.request, question.key, status, answer.texts, answer.refusal, ending.usage, usd, replayed)


def ending_of(body: str | Fault, price: PriceConfig, worst_usd: float) -> tuple[Ending, Fault | None]:
    """What is written of a sending, and its fault if it brought no answer that can be read."""
    if isinstance(body, Fault):
        outcomes: dict[str, How] = {"throttled": "throttled", "refused": "refused"}
        outcome: How = outcomes.get(body.kind, "failed")
        return Ending(outcome, body.raw, body.detail, charged_usd=worst_usd if body.maybe_paid else 0.0), body
    if (error := error_in(body)) is not None:
        return ending_of(fault_of_error(error, body), price, worst_usd)
    usage = read_usage(body)
    charged = settled_cost(price, usage, worst_usd)
    try:
        read_answer(body)
    except MalformedAnswerError as error:
        return Ending("failed", body, str(error), usage, charged), Fault("retry", str(error))
    return Ending("answered", body, "", usage, charged), None
