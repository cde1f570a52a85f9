"""What is asked, what came back, and the key under which the ledger knows both."""

from collections.abc import AsyncIterable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from nounflow.files import sha256_json

Status = Literal["answered", "truncated", "refused", "failed"]


@dataclass(frozen=True)
class Request:
    """One question to a model. Equal `key`, same question: the ledger answers it a second time.

    The messages are not part of the key, so whoever changes the wording of a prompt must raise `prompt_version`;
    the ledger refuses other messages under a known key.
    """

    item: str  # what it is about, a noun's sense key say; any text that is stable between runs
    messages: tuple[Mapping[str, Any], ...]  # as in chat completions: role and content
    prompt_version: str
    schema: Mapping[str, Any] | None = None  # JSON schema of the answer
    attempt: int = 0  # 0, 1, ...: asks the same question anew
    choices: int = 1  # independent answers wanted; a server that cannot do it sends one
    image_tokens: int = 0  # most prompt tokens of its images, whose length in bytes says nothing

    @cached_property
    def messages_hash(self) -> str:
        """Hex SHA-256 of the messages."""
        return sha256_json([dict(message) for message in self.messages])


Requests = Iterable[Request] | AsyncIterable[Request]


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """Tokens that the server counted; None where it did not say."""

    prompt_tokens: int | None = None
    output_tokens: int | None = None


NO_USAGE = TokenUsage()


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a request ended.

    status: `answered`: `texts` holds the answers. `truncated`: cut off even with more room; `texts` holds what there
    is. `refused`: by the server or its filter, or by the model; asking the same again would not help. `failed`: no
    answer after all attempts; a later run asks it again.
    """

    request: Request
    key: str
    status: Status
    texts: tuple[str, ...] = ()
    detail: str = ""  # why it was refused, or has failed
    usage: TokenUsage = NO_USAGE
    usd: float = 0.0  # charged to the budget for the sending that brought this answer; 0 when replayed
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """A request with what makes its key: the model and the parameters of the call."""

    request: Request
    model: str
    parameters: Mapping[str, Any]
    key: str  # hex SHA-256: 64 characters, so it fits the `custom_id` of a batch

    @classmethod
    def of(cls, request: Request, model: str, parameters: Mapping[str, Any]) -> "Question":
        """The question with its key."""
        parts = [model, request.prompt_version, dict(parameters), request.item, request.attempt]
        return cls(request, model, parameters, sha256_json(parts))
