"""Reading raw chat completions, also of servers that leave things out or nest them otherwise."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nounflow.escaping import mended
from nounflow.llm.requests import TokenUsage


class MalformedAnswerError(ValueError):
    """The body is no chat completion, or there is no text in it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a body says. With `texts` empty the model or its filter refused, and `refusal` says how."""

    texts: tuple[str, ...]
    truncated: bool  # at least one text was cut off by the token limit
    refusal: str


def read_usage(raw: str) -> TokenUsage:
    """The token counts of a body; None for each that is missing. Never raises."""
    try:
        usage = json.loads(raw)["usage"]
        return TokenUsage(
            _count(usage, "prompt_tokens", "input_tokens"), _count(usage, "completion_tokens", "output_tokens")
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return TokenUsage()


def error_in(raw: str) -> dict[str, Any] | None:
    """The error that a body tells instead of an answer, whatever its HTTP status; None where it tells none."""
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    if not isinstance(body, dict) or body.get("choices"):
        return None
    error = body.get("error")
    if isinstance(error, dict):
        return {"code": body.get("code") or body.get("status"), **error}
    if error or body.get("object") == "error":
        return {"message": error if isinstance(error, str) else body.get("message"), **body}
    return None


def read_answer(raw: str) -> Answer:
    """The texts of a body.

    Raises:
        MalformedAnswerError: there are none, and no refusal either.
    """
    try:
        choices = json.loads(raw)["choices"]
        read = [_read_choice(choice) for choice in choices]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise MalformedAnswerError(f"the answer is no chat completion ({type(error).__name__}: {error})") from None
    truncated = any(reason == "length" for reason, _, _ in read)
    texts = tuple(text for reason, text, refusal in read if text and not refusal)
    refusals = [refusal for _, _, refusal in read if refusal]
    if not texts and not truncated and not refusals:
        raise MalformedAnswerError("the answer has no text")
    return Answer(texts, truncated, refusals[0] if refusals and not texts else "")


def _read_choice(choice: Mapping[str, Any]) -> tuple[str, str, str]:
    """Finish reason, text, and why it was refused ("" if it was not)."""
    message, reason = choice["message"], choice.get("finish_reason") or "stop"
    filtered = "the server's content filter stopped the answer" if reason == "content_filter" else ""
    refusal = message.get("refusal") or filtered
    content = message.get("content") or ""
    if isinstance(content, list):  # some servers answer in parts
        content = "".join(part.get("text") or "" for part in content)
    if not isinstance(content, str):
        raise TypeError("content is no text")
    return reason, mended(content), mended(str(refusal))


def _count(usage: Mapping[str, Any], *names: str) -> int | None:
    for name in names:
        value = usage.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
            return int(value)
    return None
