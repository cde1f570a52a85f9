"""Tasks for Label Studio, and its exports: what goes out comes back, and what is wrong is named."""

from __future__ import annotations

import copy
import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from annotation_site import Site, decision
from test_label_schemes import OWN

from nounflow.annotation.current_decisions import CurrentDecisions
from nounflow.annotation.label_studio import read_export
from nounflow.annotation.log import DecisionLog, read_records
from nounflow.annotation.scheme import answer_of
from nounflow.cli import main
from nounflow.counts import Counts
from nounflow.schemas.annotations import Annotations
from nounflow.schemas.decisions import Decision, DecisionDraft
from nounflow.schemas.documents import write_document

Said = dict[str, list[tuple[Any, str, str, str | None]]]  # noun -> user, choice, note, time of the last change
ANSWERS = {"a #1 & 50%.png": (["cup", "", "<b>"], ["mug", "cup"]), "dog.png": (["dog", "wolf"], ["dog", "sofa"])}


@pytest.fixture
def site(tmp_path: Path, wordnet_input: Path) -> Site:
    return Site(tmp_path, wordnet_input, ANSWERS)


@pytest.fixture
def run(site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """The command line in the site's folder; returns what it printed, or the message that it ended with."""
    monkeypatch.chdir(site.folder)

    def call(*arguments: str) -> str:
        try:
            main(["labelstudio", *arguments, "--configfile", "mine.yaml"])
        except SystemExit:
            return capsys.readouterr().err
        return capsys.readouterr().out

    return call


def decided(site: Site) -> list[Decision]:
    return [one for one in read_records(site.log) if isinstance(one, Decision)]


def tasks_in(site: Site, folder: str = "out") -> list[Any]:
    tasks: list[Any] = json.loads((site.folder / folder / "tasks.json").read_text())
    return tasks


def judged_there(tasks: list[Any], said: Said) -> list[Any]:
    """An export of Label Studio: what its users chose, as its own serializers write it."""
    exported = copy.deepcopy(tasks)
    for number, task in enumerate(exported, 101):
        task |= {"id": number, "project": 7, "created_at": "2026-03-01T08:00:00.000001Z", "inner_id": number - 100}
        for user, answer, note, time in said.get(task["data"]["noun"], []):
            result = [
                {
                    "id": "Dx_aB91ISN", "from_name": "judgement", "to_name": "image", "type": "choices",
                    "origin": "manual", "value": {"choices": [answer]},
                }
            ]  # fmt: skip
            if note:
                text = {"from_name": "note", "to_name": "image", "type": "textarea", "value": {"text": [note]}}
                result.append({"id": "q1", "origin": "manual", **text})
            task["annotations"].append(
                {
                    "id": 5000 + number, "completed_by": user, "result": result, "was_cancelled": False,
                    "ground_truth": False, "created_at": "2026-03-01T09:00:00.5Z", "updated_at": time,
                    "lead_time": 4.288, "task": number, "unique_id": "x", "parent_prediction": None,
                }
            )  # fmt: skip
    return exported


ANN = {"id": 3, "email": "ann@example.org", "first_name": "Ann", "last_name": "Lee"}
SAID: Said = {
    "dog": [(ANN, "correct_primary", "looks\nlike one", "2026-03-01T10:00:00.123456Z"), (4, "incorrect", "", None)],
    "": [(4, "incorrect", "", "2026-03-01T11:30:00+02:00")],
    "wolf": [(ANN, "unsure", "", "2026-03-01T10:00:01Z")],
}


def write_export(site: Site, tasks: list[Any], name: str = "export.json") -> str:
    (site.folder / name).write_text(json.dumps(tasks))
    return name


def test_tasks_hold_each_picture_and_noun_and_the_config_fits_them(site: Site, run: Callable[..., str]) -> None:
    judge = Annotations(
        annotator="wordnet", rule="wordnet-1", image_set="drawn",
        images={"dog.png": {"correct_primary": ["dog"], "incorrect": ["sofa"]}},
    )  # fmt: skip
    write_document(site.folder / "wordnet.json", judge)
    out = run("export", "one", "two", "--out", "out", "--annotations", "wordnet.json")
    assert "6 tasks with 0 annotations and 2 predictions" in out
    tasks = tasks_in(site)
    assert {(task["data"]["file"], task["data"]["noun"]) for task in tasks} == {
        *(("a #1 & 50%.png", noun) for noun in ("cup", "", "mug")),
        *(("dog.png", noun) for noun in ("dog", "wolf", "sofa")),
    }
    for task in tasks:
        url = task["data"]["image"]
        assert url.startswith("/data/local-files/?d=images/")
        assert "#" not in url
        assert "&" not in url
        assert unquote(url.partition("?d=")[2]) == f"images/{task['data']['file']}"
    view = ElementTree.parse(site.folder / "out/labelling.xml").getroot()
    choices = {one.get("alias"): one.get("value") for one in view.iter("Choice")}
    assert choices["correct_secondary"] == "Correct, something else"
    shown = {task["data"]["noun"]: task["predictions"] for task in tasks if task["predictions"]}
    assert {noun: one["result"][0]["value"]["choices"] for noun, (one,) in shown.items()} == {
        "dog": ["correct_primary"],
        "sofa": ["incorrect"],
    }
    assert {one["model_version"] for (one,) in shown.values()} == {"wordnet"}
    tags = {tag.get("name") for tag in view.iter() if tag.get("name")}
    assert {shown["dog"][0]["result"][0][key] for key in ("from_name", "to_name")} <= tags
    run("export", "one", "--out", "bare", "--url", "")
    assert {unquote(task["data"]["image"]) for task in tasks_in(site, "bare")} == set(ANSWERS)


def test_what_users_judged_there_comes_in_with_names_and_times_and_once(site: Site, run: Callable[..., str]) -> None:
    run("export", "one", "two", "--out", "out")
    name = write_export(site, judged_there(tasks_in(site), SAID))
    assert "4 records, 4 of them new, 0 refused" in run("import", name, "--name", "4=bob")
    found = {(one.annotator, one.noun): one for one in decided(site)}
    assert {key: (one.category, one.time) for key, one in found.items()} == {
        ("ann@example.org", "dog"): ("correct_primary", "2026-03-01T10:00:00.123456Z"),
        ("bob", "dog"): ("incorrect", "2026-03-01T09:00:00.500000Z"),
        ("bob", ""): ("incorrect", "2026-03-01T09:30:00.000000Z"),
        ("ann@example.org", "wolf"): ("unsure", "2026-03-01T10:00:01.000000Z"),
    }
    assert found["ann@example.org", "dog"].evidence == "looks\nlike one"
    assert found["bob", "dog"].image == site.image("dog.png")
    assert "4 records, 0 of them new, 0 refused" in run("import", name, "--name", "4=bob")


def test_a_log_that_goes_through_label_studio_is_the_same_log(site: Site, run: Callable[..., str]) -> None:
    image = site.image("dog.png")
    with DecisionLog.open(site.log) as log:
        drafts = [
            decision(image, "dog", "correct_primary", "ann", evidence="two\nlines", file="dog.png", image_set="drawn"),
            decision(image, "dog", "incorrect", "bob"),
            decision(image, "sofa", "unsure", "bob"),
            decision(image, "not asked", "close_primary", "ann", label="part"),
            decision(image, "dog", "close_primary", "rae", review=True),
            decision(image, "dog", "incorrect", "model", votes={"incorrect": 3, "close_primary": 1}),
        ]
        log.append([DecisionDraft(**one) for one in drafts]).result()
    run("export", "one", "--out", "out", "--judged")
    exported = judged_there(tasks_in(site), {})
    for task in exported:  # Label Studio gives what it imports its own times and the user who imported it
        for annotation in task["annotations"]:
            annotation |= {"created_at": "2027-01-01T00:00:00Z", "updated_at": "2027-01-01T00:00:00Z"}
            annotation |= {"completed_by": 1, "was_cancelled": False}
    name = write_export(site, exported)
    assert "6 records, 6 of them new" in run("import", name, "--log", "other.sqlite")
    assert sorted(map(repr, read_records(site.folder / "other.sqlite"))) == sorted(map(repr, read_records(site.log)))
    assert "6 records, 0 of them new, 0 refused" in run("import", name)
    (changed,) = (
        one for task in exported for one in task["annotations"] if "two\nlines" in json.dumps(one["result"])
        or "two\\nlines" in json.dumps(one["result"])
    )  # fmt: skip
    changed["result"][0]["value"]["choices"] = ["close_primary"]  # whoever changed it said so, not ann
    run("import", write_export(site, exported), "--name", "1=cyd")
    said = CurrentDecisions(read_records(site.log)).judgements((image, "dog"))
    assert [one.category for one in said["cyd"]] == ["close_primary"]
    assert [one.category for one in said["ann"]] == ["correct_primary"]


def test_a_scheme_of_the_project_s_own_goes_out_and_comes_back(site: Site, run: Callable[..., str]) -> None:
    site.configure(scheme=OWN)
    run("export", "one", "--out", "out")
    choices = [one.attrib for one in ElementTree.parse(site.folder / "out/labelling.xml").iter("Choice")]
    assert [one["alias"] for one in choices] == [*OWN, "unsure"]
    assert choices[1] == {"value": "A part of it", "alias": "part", "hotkey": "k", "background": "#7a4d0b"}
    said: Said = {"dog": [(ANN, "part", "", "2026-03-01T10:00:00Z")]}
    run("import", write_export(site, judged_there(tasks_in(site), said)))
    (one,) = decided(site)
    assert (one.category, one.label, answer_of(one)) == ("close_primary", "part", "part")
    run("export", "one", "--out", "again", "--judged")
    back = write_export(site, judged_there(tasks_in(site, "again"), {}))
    assert "1 records, 0 of them new, 0 refused" in run("import", back)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda t: t["annotations"][0]["result"][0]["value"].update(choices=["good"]),
         "annotations.0.result.value.choices: found 'good', allowed: correct_primary"),
        (lambda t: t["annotations"][0]["result"][0]["value"].update(choices=["incorrect", "unsure"]),
         "annotations.0.result.value.choices: found 'incorrect', 'unsure'"),
        (lambda t: t["annotations"][0]["result"][0].update(value={"choices": 5}), "annotations.0.TypeError"),
        (lambda t: t["annotations"][0].pop("completed_by"), "annotations.0.completed_by: missing"),
        (lambda t: t["annotations"][0].update(created_at="yesterday"), "annotations.0.created_at: "),
        (lambda t: t["annotations"][0].update(completed_by={"email": "x" * 80}), "annotations.0.annotator: "),
        (lambda t: t["data"].pop("noun"), "data.noun: Field required"),
        (lambda t: t["data"].update(sha256="12"), "annotations.0.image: "),
        (lambda t: t.pop("annotations"), "annotations: Field required"),
        (lambda t: t["annotations"][0]["result"][0].update(meta={"nounflow": {"noun": "x"}}), "annotations.0.id: "),
    ],
)  # fmt: skip
def test_what_is_wrong_in_an_export_is_named_by_file_task_and_key(
    site: Site, run: Callable[..., str], spoil: Callable[[dict[str, Any]], Any], words: str
) -> None:
    run("export", "two", "--out", "out")
    exported = judged_there(tasks_in(site), {"dog": SAID["dog"][:1]})
    (number,) = (place for place, task in enumerate(exported) if task["annotations"])
    spoil(exported[number])
    said = run("import", write_export(site, exported))
    assert words in said
    assert f"export.json, task {101 + number}" in said
    assert not site.log.exists()


@pytest.mark.parametrize("text", ["{", "[1]", "{}", '"x"'])
def test_a_file_that_is_no_export_is_one_message(site: Site, run: Callable[..., str], text: str) -> None:
    (site.folder / "export.json").write_text(text)
    assert "export.json" in run("import", "export.json")
    assert not site.log.exists()


def test_skipped_tasks_and_empty_annotations_are_left_out(site: Site, run: Callable[..., str]) -> None:
    run("export", "two", "--out", "out")
    exported = judged_there(tasks_in(site), {"dog": SAID["dog"]})
    (task,) = (task for task in exported if task["annotations"])
    task["annotations"][0]["was_cancelled"] = True
    task["annotations"][1]["result"] = []
    assert "0 records" in run("import", write_export(site, exported))


@pytest.mark.parametrize("name", ["4", "=bob", "4="])
def test_a_name_for_nobody_is_refused(run: Callable[..., str], name: str) -> None:
    assert "USER=NAME" in run("import", "export.json", "--name", name)


def test_a_choice_and_a_note_that_stand_alone_are_read_as_in_a_list(tmp_path: Path) -> None:
    result = [
        {"from_name": "judgement", "value": {"choices": "incorrect"}},
        {"from_name": "note", "value": {"text": "a wolf"}},
    ]
    said = {"result": result, "completed_by": 1, "created_at": "2026-01-01T00:00:00Z"}
    (tmp_path / "in.json").write_text(
        json.dumps([{"data": {"noun": "dog", "sha256": "a" * 64}, "annotations": [said]}])
    )
    (found,) = read_export(tmp_path / "in.json", {}, "", {}, Counts("x"))
    assert (found.category, found.evidence) == ("incorrect", "a wolf")
