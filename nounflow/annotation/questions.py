"""What a language model is asked about a picture and a group of its nouns, and how its answer is read."""

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from nounflow.annotation.pictures import read_picture
from nounflow.annotation.plan import Task
from nounflow.config.annotators import OpenAIAnnotatorConfig
from nounflow.files import sha256_json
from nounflow.llm.reading import find_json
from nounflow.llm.requests import Request
from nounflow.schemas.annotations import CATEGORIES
from nounflow.schemas.decisions import asked_at
from nounflow.streams import stream
from nounflow.text import canon

RULE = "openai-1"  # raise it with any change of the questions, or if an answer can come to say something else
PROMPT_VERSION = "judgements-1"
_JPEG_QUALITY = 85

_SYSTEM = """\
You judge nouns that computers have given to a photograph. First describe in full what the picture shows: the main \
subject, then everything else that can be seen, with its most exact name. Then, by the picture and your description, \
put each noun of the list into one of five categories:
- correct_primary: a right name of the main subject, exact or more general, or a synonym of it.
- correct_secondary: a right name of something else that can be seen, also of a part or of the surroundings.
- close_primary: not right, yet nearly so, for the main subject: something very similar, or a name so wide or so \
narrow that it is only half right.
- close_secondary: nearly right in the same sense, for something else that can be seen.
- incorrect: everything else: what cannot be seen, other things, words that name no thing, words that do not exist.
A noun in any of its meanings counts, in singular or plural. Paintings, toys and statues of a thing count as the \
thing. Repeat each noun as it stands in the list."""
_FRAMED = """
A red frame is drawn into the photograph. Judge by what is inside of it alone: the main subject is the thing that it \
was drawn around, and what lies outside of it cannot be seen."""
SCHEMA = {
    "type": "object",
    "properties": {
        "description": {"type": "string"},
        "judgements": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"noun": {"type": "string"}, "category": {"type": "string", "enum": list(CATEGORIES)}},
                "required": ["noun", "category"],
                "additionalProperties": False,
            },
        },
    },
    "required": ["description", "judgements"],
    "additionalProperties": False,
}


class NounGroup(NamedTuple):
    """Nouns of a picture that are asked about together."""

    image: str  # a place of the decision log
    file: str
    nouns: tuple[str, ...]  # distinct, also in `canon`


class ModelReading(NamedTuple):
    """What an answer says."""

    description: str
    categories: dict[str, str]  # noun -> category, of those that were judged, and once


def groups_of(task: Task, nouns: Sequence[str], most: int) -> list[NounGroup]:
    """A picture's nouns in groups of like size, in alphabetical order; nouns that are the same word are asked once."""
    distinct = sorted({canon(noun): noun for noun in sorted(nouns, reverse=True)}.values())
    n = -(-len(distinct) // most)
    return [NounGroup(task.image, task.files[0], tuple(distinct[start::n])) for start in range(n)]


def picture_url(folder: Path, group: NounGroup, max_side: int) -> str:
    """A group's picture as a data URL: see `read_picture`, which also says what is raised."""
    content = read_picture(folder, group.file, group.image, max_side, _JPEG_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(content).decode()


def request_of(group: NounGroup, url: str, attempt: int, settings: OpenAIAnnotatorConfig) -> Request:
    """The question of one vote. Each vote has an order of its own; the picture stands first, so that servers can keep
    its beginning. The key holds a digest of all of it: another picture or list is another question.
    """
    order = stream(settings.seed, "votes", group.image, "\n".join(group.nouns), attempt).permutation(len(group.nouns))
    listed = "\n".join(json.dumps(group.nouns[i], ensure_ascii=False) for i in order)
    content: list[dict[str, Any]] = [
        {"type": "image_url", "image_url": {"url": url, "detail": settings.detail}},
        {"type": "text", "text": f"The {len(order)} nouns, one a line:\n{listed}"},
    ]
    system = _SYSTEM + (_FRAMED if "box" in asked_at(group.image) else "")
    messages = ({"role": "system", "content": system}, {"role": "user", "content": content})
    item = f"{group.image} {sha256_json(list(messages))[:16]}"
    return Request(
        item=item,
        messages=messages,
        prompt_version=PROMPT_VERSION,
        schema=SCHEMA,
        attempt=attempt,
        image_tokens=settings.image_tokens,
    )


def read_answer(text: str, nouns: Sequence[str]) -> ModelReading:
    """What an answer says of the nouns that it was asked about; each noun is read by itself.

    Left out: what was not asked, what is in no category, and a noun in two categories.

    Raises:
        ValueError: there is no JSON of the form that was asked for.
    """
    value = find_json(text, _has_judgements)
    description = value.get("description")
    asked = {canon(noun): noun for noun in nouns}
    said: dict[str, set[str]] = {}
    for one in value["judgements"]:
        if not isinstance(one, dict) or one.get("category") not in CATEGORIES:
            continue
        if (noun := asked.get(canon(str(one.get("noun")).strip(' "')))) is not None:
            said.setdefault(noun, set()).add(one["category"])
    categories = {noun: min(found) for noun, found in said.items() if len(found) == 1}
    return ModelReading(description if isinstance(description, str) else "", categories)


def _has_judgements(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("judgements"), list)
