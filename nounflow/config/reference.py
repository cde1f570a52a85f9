"""The config's key tables in Markdown, from the same models that check it; config/README.md ends with them."""

import json
from collections.abc import Iterator
from typing import Any, get_args

from pydantic.fields import FieldInfo

from nounflow.config.base import OPERATIONAL, Settings
from nounflow.config.experiment import Config

MARK = "<!-- Key tables: written by `nounflow schema --markdown`, do not edit below. -->\n"


def key_tables() -> str:
    """A heading and a table of key, default and meaning for the config and each of its parts."""
    tables: dict[type[Settings], list[str]] = {}
    places: dict[type[Settings], list[str]] = {}  # of a part that several others have
    waiting: list[tuple[str, type[Settings]]] = [("the whole file", Config)]
    while waiting:
        place, model = waiting.pop(0)
        places.setdefault(model, []).append(place)
        if model in tables:
            continue
        lines = tables[model] = [(model.__doc__ or "").strip(), "", "| key | default | meaning |", "|---|---|---|"]
        schemas = model.model_json_schema()["properties"]
        for name, field in model.model_fields.items():
            parts = _settings_within(field.annotation)
            meaning = field.description or (f"see `{name}` below" if parts else "")
            if not parts and (allowed := list(_allowed(schemas[name]))):
                meaning += f" (one of {', '.join(f'`{value}`' for value in allowed)})"
            meaning += "; reruns nothing" if OPERATIONAL in field.metadata else ""
            lines.append(f"| `{name}` | {_default(field)} | {meaning} |")
            waiting += [(_place(place, name, field) + _kind(part), part) for part in parts]
    sections = ["\n".join([f"\n## {', '.join(places[model])}\n", *lines]) + "\n" for model, lines in tables.items()]
    return MARK + "".join(sections)


def _place(parent: str, name: str, field: FieldInfo) -> str:
    own = f"`{name}: {{NAME: ...}}`" if getattr(field.annotation, "__origin__", None) is dict else f"`{name}`"
    return own if parent == "the whole file" else f"{own} of {parent}"


def _settings_within(annotation: Any) -> list[type[Settings]]:
    """Groups of settings that a field holds: itself, as the parts of a dict, or as one of several kinds."""
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        return [annotation]
    return [part for inner in get_args(annotation) for part in _settings_within(inner)]


def _allowed(schema: Any) -> Iterator[Any]:
    """The values that a key, or each item of its list, may take, where they can be counted."""
    if isinstance(schema, dict):
        yield from schema.get("enum", ())
        for key in ("anyOf", "items", "prefixItems", "propertyNames"):
            yield from _allowed(schema.get(key))
    elif isinstance(schema, list):
        for part in schema:
            yield from _allowed(part)


def _kind(part: type[Settings]) -> str:
    """What tells a group from the others that may stand in its place."""
    for name in ("kind", "predictor"):
        if field := part.model_fields.get(name):
            return f" with `{name}: {get_args(field.annotation)[0]}`"
    return ""


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, Settings):
        return "its own defaults"
    if isinstance(value, dict) and any(isinstance(part, Settings) for part in value.values()):
        return ", ".join(f"`{name}`" for name in value)
    if isinstance(value, tuple) and len(value) > 6:
        return "all"
    return f"`{json.dumps(value)}`"
