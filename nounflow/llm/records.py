"""What the ledger's rows say, and how a sending and its ending are written."""

import json
import sqlite3
from dataclasses import dataclass
from typing import Literal

from nounflow.llm.requests import NO_USAGE, Question, TokenUsage

How = Literal["answered", "refused", "failed", "throttled"]


@dataclass(slots=True)  # not frozen: a hundred thousand are made at once, and freezing doubles the time
class Ending:
    """How one sending ended. `raw` is the body that the server sent, untouched (only a key in it is struck out)."""

    outcome: How
    raw: str = ""
    detail: str = ""
    usage: TokenUsage = NO_USAGE
    charged_usd: float = 0.0


@dataclass(slots=True)
class LedgerEntry:
    """What the ledger knows of a key."""

    messages_hash: str
    last: Ending | None  # the latest answer or refusal, else None
    room: int  # max_output_tokens of that sending; 0 without one
    batch: int | None = None  # the open batch that it is under way in


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over the whole ledger."""

    sendings: int
    answered: int
    unanswered: int
    prompt_tokens: int
    output_tokens: int
    paid_usd: float  # by the servers' counts of tokens
    presumed_usd: float  # worst cases, where no count came: lost answers, dropped connections, batches under way

    @property
    def spent_usd(self) -> float:
        """What counts against a budget."""
        return self.paid_usd + self.presumed_usd


def insert_sending(
    connection: sqlite3.Connection, question: Question, run: int | None, at: float, room: int, worst_usd: float
) -> int:
    """Write that a request is about to be sent, and the request where it is new; returns the sending's number."""
    request, parameters = question.request, json.dumps(question.parameters, sort_keys=True)
    asked = (request.item, request.attempt, request.messages_hash)
    connection.execute(
        "INSERT INTO requests (key, model, prompt_version, parameters, item, attempt, messages_hash) "
        "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING",
        (question.key, question.model, request.prompt_version, parameters, *asked),
    )
    number = connection.execute(
        "INSERT INTO sendings (request, run, sent_at, max_output_tokens, worst_usd) "
        "SELECT id, ?, ?, ?, ? FROM requests WHERE key = ?",
        (run, at, room, worst_usd, question.key),
    ).lastrowid
    assert number is not None
    return number


def insert_ending(connection: sqlite3.Connection, sending: int, at: float, ending: Ending) -> None:
    """Write how a sending ended."""
    tokens = (ending.usage.prompt_tokens, ending.usage.output_tokens)
    row = (sending, at, ending.outcome, *tokens, ending.charged_usd, ending.detail, ending.raw)
    connection.execute("INSERT INTO endings VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
