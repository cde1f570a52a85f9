"""Reading raw chat completions, also of servers that leave things out or nest them otherwise."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nounflow.escaping import mended
from nounflow.llm.requests import TokenUsage

_CUT_OFF = {"length", "max_tokens", "max_output_tokens", "model_length"}  # words of several servers
_FILTERED = {"safety", "recitation", "prohibited_content", "blocklist", "spii", "error_toxic"}
_MOST_TOKENS = 1e12  # of a count; more is nonsense, and fits no column


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
    """The error that a body tells instead of an answer, whatever its HTTP status; None where it tells none.

    A gateway may tell it within a choice: it counts where no choice has a text.
    """
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    body = body[0] if isinstance(body, list) and body else body
    if not isinstance(body, dict):
        return None
    if choices := body.get("choices"):
        choices = choices if isinstance(choices, list) and all(isinstance(c, dict) for c in choices) else []
        said = [choice for choice in choices if not choice.get("error") or _has_text(choice)]
        if said or not choices:
            return None
        body = choices[0]
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
    truncated = any(reason in _CUT_OFF or (reason == "error" and text) for reason, text, _ in read)
    texts = tuple(text for reason, text, refusal in read if text and not refusal)
    refusals = [refusal for _, _, refusal in read if refusal]
    if not texts and not truncated and not refusals:
        raise MalformedAnswerError("the answer has no text")
    return Answer(texts, truncated, refusals[0] if refusals and not texts else "")


def _read_choice(choice: Mapping[str, Any]) -> tuple[str, str, str]:
    """Finish reason, text, and why it was refused ("" if it was not)."""
    message, reason = choice["message"], str(choice.get("finish_reason") or "stop").lower()
    filtered = reason in _FILTERED or reason.startswith("content_filter")
    refusal = message.get("refusal") or ("the server's content filter stopped the answer" if filtered else "")
    content = message.get("content") or ""
    if isinstance(content, list):  # some servers answer in parts
        content = "".join(part if isinstance(part, str) else part.get("text") or "" for part in content)
    if not isinstance(content, str):
        raise TypeError("content is no text")
    return reason, mended(content), mended(str(refusal))


def _has_text(choice: Mapping[str, Any]) -> bool:
    message = choice.get("message")
    return isinstance(message, dict) and bool(message.get("content"))


def _count(usage: Mapping[str, Any], *names: str) -> int | None:
    for name in names:
        value = usage.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < _MOST_TOKENS:
            return int(value)
    return None
