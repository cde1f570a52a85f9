"""The files of a batch: one JSON object a line, what is asked and what came back."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any

from nounflow.config.llm import LLMConfig
from nounflow.escaping import mended
from nounflow.llm.faults import Fault, fault_of_error, fault_of_status
from nounflow.llm.http import Server, body_of
from nounflow.llm.requests import Question


@dataclass(frozen=True, slots=True)
class Result:
    """One line of results: the body of the answer, or why there is none."""

    key: str
    body: str | Fault


def input_line(config: LLMConfig, question: Question, room: int, server: Server) -> bytes:
    """The line that asks a question; its `custom_id` is the question's key."""
    body = body_of(config, question.request, room, server)
    line = {"custom_id": question.key, "method": "POST", "url": "/v1/chat/completions", "body": body}
    return json.dumps(line, ensure_ascii=False).encode() + b"\n"


def read_results(file: IO[bytes], strike: Callable[[str], str]) -> Iterator[Result | None]:
    """The lines of a results file; None for one that cannot be read, as where the file is cut off.

    Args:
        file: output or error file, from its start.
        strike: takes the key out of a text.
    """
    file.seek(0)
    for raw in file:
        try:
            line = json.loads(raw)
            result = Result(str(line["custom_id"]), _body(line, strike))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            yield None
        else:
            yield result


def is_whole(file: IO[bytes], expected: int) -> bool:
    """Whether all lines of a results file can be read and there are as many as the server has counted."""
    results = [line is not None for line in read_results(file, str)]
    return all(results) and len(results) >= expected


def _body(line: Mapping[str, Any], strike: Callable[[str], str]) -> str | Fault:
    error, response = line.get("error"), line.get("response")
    if response is None:
        return fault_of_error({"code": "no answer"} | _said(error, strike))
    digits, body = re.match(r"\d{3}", str(response.get("status_code"))), response.get("body")
    raw = strike(mended(body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)))
    if not digits or int(digits[0]) < 300:
        return raw
    return fault_of_status(int(digits[0]), _said(body.get("error") if isinstance(body, dict) else None, strike), raw)


def _said(error: Any, strike: Callable[[str], str]) -> dict[str, str]:
    """What an error object says."""
    return {name: strike(str(value)) for name, value in error.items() if value} if isinstance(error, dict) else {}
