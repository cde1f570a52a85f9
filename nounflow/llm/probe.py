"""A tiny request that shows what a server can do."""

import dataclasses
import json

from nounflow.llm.answers import Answer
from nounflow.llm.http import Server
from nounflow.llm.requests import Request, TokenUsage

ROOM = 256  # tokens; models that reason first need some before their first word
_SCHEMA = {
    "type": "object",
    "properties": {"word": {"type": "string"}},
    "required": ["word"],
    "additionalProperties": False,
}


def probe_request(server: Server) -> Request:
    """A request that uses everything that `server` is thought to be able to do."""
    return Request(
        item=f"probe:{server.schema:d}{server.choices:d}:{server.room_name}",
        messages=({"role": "user", "content": 'Answer with the JSON object {"word": "yes"}.'},),
        prompt_version="probe-1",
        schema=_SCHEMA if server.schema else None,
        choices=2 if server.choices else 1,
    )


def weaker(server: Server, detail: str) -> Server | None:
    """What to try after the server has refused a probe, by what its message names; None when nothing is left."""
    said = detail.lower()
    if server.room_name == "max_tokens" and "max_completion_tokens" in said:
        return dataclasses.replace(server, room_name="max_completion_tokens")
    if server.schema and ("response_format" in said or "schema" in said):
        return dataclasses.replace(server, schema=False)
    if server.choices:
        return dataclasses.replace(server, choices=False)
    if server.schema:
        return dataclasses.replace(server, schema=False)
    if server.room_name == "max_tokens":
        return Server(room_name="max_completion_tokens")
    return None


def learnt(server: Server, answer: Answer, usage: TokenUsage) -> Server:
    """What the answer to a probe shows; a server may accept a parameter and ignore it."""
    return dataclasses.replace(
        server,
        schema=server.schema and (answer.truncated or all(map(_is_object, answer.texts))),
        choices=server.choices and (answer.truncated or len(answer.texts) == 2),
        usage=usage.prompt_tokens is not None and usage.output_tokens is not None,
    )


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False
