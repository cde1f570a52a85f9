"""Label Studio's JSON: tasks of one picture and one noun go out, and its export of them comes back as decisions.

Formats: labelstud.io/guide/task_format, /guide/predictions and /tags/choice. Label Studio gives annotations that it
imports its own times and user, so each of ours carries its record; one that was changed there is another's judgement.
"""

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import AliasPath, AwareDatetime, BaseModel, Field

from nounflow.annotation.current_decisions import CurrentDecisions
from nounflow.annotation.exchange import first_line
from nounflow.annotation.plan import Task
from nounflow.annotation.scheme import USUAL, answer_of
from nounflow.config.annotators import Scheme
from nounflow.counts import Counts
from nounflow.errors import NounflowError
from nounflow.files import read_json, sha256_text
from nounflow.schemas.annotations import Annotations
from nounflow.schemas.decisions import Decision, asked_at, time_text

_CHOICE, _NOTE, _OURS = "judgement", "note", "nounflow"  # names in the labelling config; the key in `meta`
_FIX = "export a project as JSON, made of what `nounflow labelstudio export` wrote under the same `scheme`"


def labelling_config(own: Scheme) -> str:
    """The project's labelling config (XML): the picture, the noun, a choice for each category, a note."""
    view = ElementTree.Element("View")
    ElementTree.SubElement(view, "Image", name="image", value="$image")
    ElementTree.SubElement(view, "Header", value="$noun")
    choices = ElementTree.SubElement(view, "Choices", name=_CHOICE, toName="image", choice="single", required="true")
    for name, label in (own or USUAL).items():
        shown = {"value": ", ".join(filter(None, (label.title, label.detail))), "alias": name}
        ElementTree.SubElement(choices, "Choice", {**shown, "hotkey": label.key, "background": label.colour})
    ElementTree.SubElement(choices, "Choice", value="Unsure", alias="unsure", hotkey="e")
    ElementTree.SubElement(view, "TextArea", name=_NOTE, toName="image", maxSubmissions="1")
    ElementTree.indent(view)
    return ElementTree.tostring(view, encoding="unicode") + "\n"


def tasks_of(
    asked: Sequence[Task],
    url: Callable[[str], str],
    own: Scheme,
    judged: CurrentDecisions,
    before: Sequence[Annotations],
) -> list[dict[str, Any]]:
    """A task for each picture and noun; `url`: where Label Studio finds a file of the image folder.

    What was `judged` goes along as annotations (but what was skipped), also of nouns that are not asked; what judges
    said `before` as predictions, which people see before they judge.
    """
    files = {task.image: task.files[0] for task in asked}
    pairs = [(task.image, ask.noun) for task in asked for ask in task.asks]
    pairs += sorted(pair for pair in judged.pairs() if pair[0] in files)
    people = [(who, review) for who in judged.annotators() for review in (False, True)]
    label_of = {label.counts_as: name for name, label in reversed(list((own or USUAL).items()))}
    found: list[dict[str, Any]] = []
    for image, noun in dict.fromkeys(pairs):
        predictions = [
            {"model_version": one.annotator, "result": [_choice(label, f"{len(found)}-{one.annotator}")]}
            for one in before
            for category, label in label_of.items()
            if noun in getattr(one.images.get(files[image]), category, ())
        ]
        known = (one for who, review in people for one in judged.current((image, noun), who, review))
        said = [_annotation(one) for one in known if one.category != "skipped"]
        data = {"image": url(files[image]), "noun": noun, "sha256": image, "file": files[image]}
        found.append({"data": data, "predictions": predictions, "annotations": said})
    return found


def _choice(answer: str, identity: str, **more: Any) -> dict[str, Any]:
    tags = {"from_name": _CHOICE, "to_name": "image", "type": "choices"}
    return {"id": identity, **tags, "value": {"choices": [answer]}, **more}


def _annotation(decision: Decision) -> dict[str, Any]:
    ours = {_OURS: decision.model_dump(mode="json", exclude_defaults=True)}
    note = {"from_name": _NOTE, "to_name": "image", "type": "textarea", "value": {"text": [decision.evidence]}}
    result = [_choice(answer_of(decision), decision.id, meta=ours), {"id": f"{decision.id}-note", **note}]
    times = {"created_at": decision.time, "updated_at": decision.time}
    return {"result": result if decision.evidence else result[:1], "ground_truth": False, **times}


class _Result(BaseModel):
    from_name: str = ""
    value: dict[str, Any] = {}
    meta: dict[str, Any] = {}


class _Judged(BaseModel):
    result: list[_Result]
    completed_by: dict[str, Any] | int | None = None
    created_at: AwareDatetime
    updated_at: AwareDatetime | None = None
    was_cancelled: bool = False

    def values(self, name: str, key: str) -> list[Any]:
        """What stands under a tag's name: a list, or a text alone."""
        found = (one.value.get(key) or [""] for one in self.result if one.from_name == name)
        return [value for values in found for value in ([values] if isinstance(values, str) else values)]


class _Exported(BaseModel):
    noun: str = Field(validation_alias=AliasPath("data", "noun"))
    sha256: str = Field(validation_alias=AliasPath("data", "sha256"))
    file: str = Field("", validation_alias=AliasPath("data", "file"))
    annotations: list[_Judged]


def read_export(path: Path, own: Scheme, annotator: str, names: Mapping[str, str], counts: Counts) -> list[Decision]:
    """The judgements of a JSON export, those that are not ours by `annotator` (empty: as the file says).

    Their ids follow from what they say. `names`: Label Studio's user (number or e-mail address) -> annotator.

    Raises:
        NounflowError: something in it can be no judgement; names the file, the task and the key.
    """
    tasks = read_json(path, "Label Studio export", fix=_FIX)
    records: dict[str, Decision] = {}
    left_out = 0
    for place, raw in enumerate(tasks if isinstance(tasks, list) else [tasks], 1):
        where = f"{path}, task {raw.get('id', place) if isinstance(raw, dict) else place}"
        key = ""
        try:
            task = _Exported.model_validate(raw)
            for number, judged in enumerate(task.annotations):
                key = f"annotations.{number}."
                if record := _decision(task, judged, own, annotator, names):
                    records[record.id] = record
                left_out += record is None
        except (ValueError, TypeError, OverflowError) as error:  # pydantic's too
            words = first_line(error).removeprefix("ValueError: ")
            raise NounflowError(f"Not a judged task: {key}{words}", where=where, fix=_FIX) from None
    flow = counts.flow("annotations", len(records) + left_out, "annotations")
    flow.drop(left_out, "skipped there, or nothing was chosen")
    flow.out(len(records), "decisions")
    return list(records.values())


def _decision(
    task: _Exported, judged: _Judged, own: Scheme, annotator: str, names: Mapping[str, str]
) -> Decision | None:
    """Raises ValueError, beginning with the key."""
    said, allowed = judged.values(_CHOICE, "choices"), (*(own or USUAL), "unsure")
    if judged.was_cancelled or not said:
        return None
    note = "\n".join(map(str, judged.values(_NOTE, "text")))
    for ours in (one.meta[_OURS] for one in judged.result if _OURS in one.meta):
        record = Decision.model_validate(ours)
        if (record.place, record.noun, [answer_of(record)], record.evidence) == (task.sha256, task.noun, said, note):
            return record
    if len(said) != 1 or said[0] not in allowed:
        raise ValueError(f"result.value.choices: found {', '.join(map(ascii, said))}, allowed: {', '.join(allowed)}")
    by = judged.completed_by if isinstance(judged.completed_by, dict) else {"id": judged.completed_by}
    email, number = by.get("email"), by.get("id")
    if not (annotator or email or number is not None):
        raise ValueError("completed_by: missing; --annotator NAME says who judged")
    who = annotator or names.get(str(email)) or names.get(str(number)) or email or f"Label Studio user {number}"
    time = time_text(round((judged.updated_at or judged.created_at).timestamp() * 1_000_000))
    label = said[0] if said[0] in own else ""
    values = {"annotator": who, "tool": "Label Studio", **asked_at(task.sha256), "noun": task.noun, "time": time}
    values |= {"category": own[label].counts_as if label else said[0], "label": label, "evidence": note}
    identity = sha256_text(*(str(values[key]) for key in sorted(values)))[:32]
    return Decision.model_validate({"kind": "decision", "id": identity, "file": task.file, **values})
