"""The config's key tables in Markdown, from the same models that check it; config/README.md ends with them."""

from __future__ import annotations

import json
from typing import Any, get_args

from pydantic.fields import FieldInfo

from nounflow.config.base import Settings
from nounflow.config.experiment import Config

MARK = "<!-- Key tables: written by `nounflow schema --markdown`, do not edit below. -->\n"


def key_tables() -> str:
    """A heading and a table of key, default and meaning for the config and each of its parts."""
    sections: list[str] = []
    waiting: list[tuple[str, type[Settings]]] = [("the whole file", Config)]
    seen: set[type[Settings]] = set()
    while waiting:
        place, model = waiting.pop(0)
        if model in seen:
            continue
        seen.add(model)
        lines = [f"\n## {place}\n", (model.__doc__ or "").strip(), "", "| key | default | meaning |", "|---|---|---|"]
        for name, field in model.model_fields.items():
            part = _settings_within(field.annotation)
            meaning = field.description or (f"see `{name}` below" if part else "")
            lines.append(f"| `{name}` | {_default(field)} | {meaning} |")
            if part:
                waiting.append((_place(place, name, field), part))
        sections.append("\n".join(lines) + "\n")
    return MARK + "".join(sections)


def _place(parent: str, name: str, field: FieldInfo) -> str:
    own = f"`{name}: {{NAME: ...}}`" if getattr(field.annotation, "__origin__", None) is dict else f"`{name}`"
    return own if parent == "the whole file" else f"{own} of {parent}"


def _settings_within(annotation: Any) -> type[Settings] | None:
    for candidate in (annotation, *get_args(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, Settings):
            return candidate
    return None


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, Settings):
        return "its own defaults"
    if isinstance(value, tuple) and len(value) > 6:
        return "all"
    return f"`{json.dumps(value)}`"
