"""The published JSON layout of a vocabulary and of prompts: out of a lexicon and back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nounflow.captions.prompts import as_tsv, published_prompts, read_prompts, template_rows
from nounflow.captions.templates import Number, Template, Templates, read_templates
from nounflow.counts import Counts
from nounflow.errors import NounflowError
from nounflow.files import write_json
from nounflow.nouns.published import lexicon_of, published_entries, read_vocabulary
from nounflow.nouns.rules import Rules
from nounflow.nouns.selection import SenseOrder
from nounflow.nouns.visualness import Verdict
from nounflow.senses import WordSenses
from nounflow.wordnet import WordNet

DOG = {
    "id": 0, "target_noun": "dog", "pretty_noun": "dog", "singulars": ["dog"], "singulars_freq": [8],
    "plurals": ["dogges", "dogs"], "plurals_freq": [1, 4], "hypernyms": [],
}  # fmt: skip
BOWL = DOG | {"id": 1, "target_noun": "quinoa bowl", "pretty_noun": "Quinoa-bowl", "singulars": ["Quinoa-bowl"],
              "singulars_freq": [1], "plurals": [], "plurals_freq": []}  # fmt: skip
GIZMO = BOWL | {"id": 2, "target_noun": "xyzzy", "pretty_noun": "xyzzy", "singulars": ["xyzzy"]}


JEANS = BOWL | {"target_noun": "jeans", "pretty_noun": "jeans", "singulars": [], "singulars_freq": [],
                "plurals": ["jeans"], "plurals_freq": [2]}  # fmt: skip


def test_a_noun_that_is_only_written_in_the_plural_has_the_senses_of_its_singular(
    tmp_path: Path, wordnet: WordNet
) -> None:
    write_json(tmp_path / "object_nouns.json", [JEANS])
    verdicts = dict.fromkeys(wordnet.synsets, Verdict(1.0, "a test"))
    entries = read_vocabulary(tmp_path / "object_nouns.json")
    table, unknown = lexicon_of(entries, WordSenses(wordnet), SenseOrder(wordnet, Rules()), verdicts)
    assert (table["sense_keys"][0][0], unknown) == ("jean%1:06:00::", [])


def test_a_vocabulary_comes_back_as_it_was_and_knows_what_its_nouns_mean(tmp_path: Path, wordnet: WordNet) -> None:
    path = tmp_path / "object_nouns.json"
    write_json(path, [DOG, BOWL, GIZMO])
    verdicts = dict.fromkeys(wordnet.synsets, Verdict(1.0, "a test"))
    table, unknown = lexicon_of(read_vocabulary(path), WordSenses(wordnet), SenseOrder(wordnet, Rules()), verdicts)
    assert published_entries(table) == json.loads(path.read_text())
    assert unknown == ["quinoa bowl", "xyzzy"]
    dog, bowl, gizmo = table.iter_rows(named=True)
    assert (dog["weight"], dog["kind"], dog["plural_shares"][1]) == (13, "animal", pytest.approx(4 / 13))
    assert "carnivore" in dog["hypernyms"]
    assert dog["aliases"] == ["domestic dog", "Canis familiaris"]
    assert bowl["gloss"].startswith("a kind of")
    assert (gizmo["synsets"], gizmo["gloss"]) == ([], "")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "a JSON list of nouns"),
        ([DOG, DOG], "'dog' twice: entries 0 and 1"),
        ([DOG | {"target_noun": "Dog"}], "target_noun"),
        ([DOG | {"pretty_noun": "do\u0000g"}], "pretty_noun"),
        ([DOG | {"pretty_noun": "cat"}], "no spelling of target_noun"),
        ([DOG | {"singulars_freq": [1, 2]}], "one weight"),
        ([DOG | {"plurals_freq": [0, 1]}], "plurals_freq.0"),
        ([DOG | {"singulars": [], "singulars_freq": [], "plurals": [], "plurals_freq": []}], "no form"),
        ([DOG, "cat"], "Not a noun"),
    ],
)
def test_a_vocabulary_of_another_layout_is_refused_by_entry(tmp_path: Path, content: Any, message: str) -> None:
    path = tmp_path / "object_nouns.json"
    write_json(path, content)
    with pytest.raises(NounflowError, match=message) as error:
        read_vocabulary(path)
    assert str(path) in str(error.value)


def test_templates_come_back_from_prompts_as_they_were(tmp_path: Path, repository: Path) -> None:
    folder = repository / "resources/templates"
    templates = Templates.read(folder / "singular.tsv", folder / "plural.tsv")
    write_json(tmp_path / "prompts.json", published_prompts(templates))
    prompts = read_prompts(tmp_path / "prompts.json", ["singular", "plural"], "core")
    numbers: tuple[tuple[Number, tuple[Template, ...]], ...]
    numbers = (("singular", templates.singular), ("plural", templates.plural))
    for number, before in numbers:
        (tmp_path / f"{number}.tsv").write_text(as_tsv(template_rows(prompts, number, Counts("templates"))))
        after = read_templates(tmp_path / f"{number}.tsv", number)
        assert [(t.around(("dog",)), t.weight, t.core) for t in after] == [
            (t.around(("dog",)), t.weight, t.core) for t in before
        ]
