"""Published prompts as template files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nounflow.captions.prompts import read_prompts, template_rows
from nounflow.counts import Counts
from nounflow.errors import NounflowError

PROMPTS = {
    "prompts": {
        "A": [[1, "a photo of {article_noun}"], [2, "a painting of the {noun}."], [1, "one {singular} alone"],
              [1, "many {plural}"], [1, "a {singular} in a box"]],
        "B": [[3, "a photo of {article_noun}."], [1, "the {singular} by night"], [1, "the {noun} by night"],
              [1, "a {noun} toy"]],
    },
    "hypernyms": {"None": [[1, None]]},
}  # fmt: skip


@pytest.fixture
def prompt_file(tmp_path: Path) -> Path:
    path = tmp_path / "prompts.json"
    path.write_text(json.dumps(PROMPTS))
    return path


def test_prompts_become_templates_whose_weights_add_up(prompt_file: Path) -> None:
    counts = Counts("templates")
    prompts = read_prompts(prompt_file, ["A", "B"])
    rows = {number: template_rows(prompts, number, counts) for number in ("singular", "plural")}
    weights = {number: {text: int(weight) for _, weight, text, _ in rows[number]} for number in rows}
    assert weights["singular"] == {
        "a photo of {a_noun}.": 4, "a painting of the {noun}.": 2, "one {noun} alone.": 1, "{a_noun} in a box.": 1,
        "the {noun} by night.": 2, "{a_noun} toy.": 1,
    }  # fmt: skip
    assert weights["plural"] == {
        "a photo of {noun}.": 4, "a painting of the {noun}.": 2, "many {noun}.": 1, "the {noun} by night.": 1,
    }  # fmt: skip
    singular, plural = counts.as_dict()["flows"]
    assert singular["dropped"] == {"only for the plural": 1, "the same as another template (weights added)": 1}
    assert plural["dropped"] == {"only for the singular": 3, "a or an before a plural": 1}


def test_a_core_collection_says_which_templates_every_noun_gets(prompt_file: Path) -> None:
    rows = template_rows(read_prompts(prompt_file, ["A"], core="B"), "singular", Counts("templates"))
    assert [text for name, _, text, core in rows if core == "1" and name.startswith("core-")] == [
        "a photo of {a_noun}."
    ]


@pytest.mark.parametrize(
    ("collections", "core", "content", "message"),
    [
        (["C"], None, None, "it has: A, B"),
        (["A"], "C", None, "no collection 'C'"),
        (["A"], None, {"prompts": {"A": [[1, "no place"]]}}, "exactly one place"),
        (["A"], None, {"prompts": {"A": [[1, "{noun} {noun}"]]}}, "exactly one place"),
        (["A"], None, {"prompts": {"A": [[1, "a {noun:>9}"]]}}, "exactly one place"),
        (["A"], None, {"prompts": {"A": [[0, "a {noun}"]]}}, "frequency"),
        (["A"], None, {"A": []}, "key `prompts`"),
    ],
)
def test_a_mistake_in_a_prompt_file_is_named(
    tmp_path: Path, prompt_file: Path, collections: list[str], core: str | None, content: dict[str, Any], message: str
) -> None:
    if content is not None:
        prompt_file.write_text(json.dumps(content))
    with pytest.raises(NounflowError) as error:
        read_prompts(prompt_file, collections, core)
    assert message in str(error.value)
