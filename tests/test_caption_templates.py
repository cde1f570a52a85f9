"""Prompt templates: what they say, and what is refused of their files."""

from __future__ import annotations

from pathlib import Path

import pytest
from caption_material import ENTRIES, MASS, VOWELS, lexicon_of

from nounflow.captions.forms import CaptionLexicon
from nounflow.captions.templates import Templates, read_templates
from nounflow.errors import NounflowError


def test_the_shipped_files_hold_85_singular_and_68_plural_templates_of_which_seven_are_core(
    templates: Templates,
) -> None:
    assert [len(templates.singular), len(templates.plural)] == [85, 68]
    for of_number in (templates.singular, templates.plural):
        assert len({template.text for template in of_number}) == len(of_number)
        assert sum(template.core for template in of_number) == 7


def test_a_template_puts_the_article_that_is_spoken_before_each_noun(templates: Templates) -> None:
    photo = next(t for t in templates.singular if t.text == "a photo of {a_noun}.")
    lexicon = CaptionLexicon.of(lexicon_of(ENTRIES))
    for form, phrase in zip(lexicon.singular.texts, lexicon.singular.phrases("a"), strict=True):
        article = "some" if form in MASS else "an" if form in VOWELS else "a"
        assert photo.around([phrase]) == f"a photo of {article} {form}."
    assert photo.around(["an owl", "a dog"]) == "a photo of an owl and a dog."
    assert photo.around(["an owl", "a dog", "an ax"]) == "a photo of an owl, a dog and an ax."


@pytest.mark.parametrize(
    ("text", "one", "mass", "two"),
    [
        ("the {noun} [fills|fill] the frame.", "the owl fills the frame.", "the rice fills the frame.",
         "the owl and rice fill the frame."),
        ("[this is|these are] {a_noun}.", "this is an owl.", "this is some rice.", "these are an owl and some rice."),
        ("a photo of a large {noun}.", "a photo of a large owl.", "a photo of a large amount of rice.",
         "a photo of a large owl and a large amount of rice."),
        ("a photo of an old {noun}.", "a photo of an old owl.", "a photo of some old rice.",
         "a photo of an old owl and some old rice."),
        ("a photo of my {noun}.", "a photo of my owl.", "a photo of my rice.", "a photo of my owl and rice."),
    ],
)  # fmt: skip
def test_articles_amounts_and_verbs_agree_with_what_is_named(
    tmp_path: Path, text: str, one: str, mass: str, two: str
) -> None:
    path = tmp_path / "singular.tsv"
    path.write_text(f"id\tweight\ttemplate\tcore\ncore-x\t1\t{text}\t1\n", encoding="utf-8")
    (template,) = read_templates(path, "singular")
    forms = CaptionLexicon.of(lexicon_of(ENTRIES)).singular
    phrases = dict(zip(forms.texts, forms.phrases(template.lead), strict=True))
    assert template.text == text
    assert template.around([phrases["owl"]]) == one
    assert template.around([phrases["rice"]]) == mass
    assert template.around([phrases["owl"], phrases["rice"]]) == two


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("x\t1\tthe {noun} [fills|fill the frame.\t0", "not closed"),
        ("x\t1\ta photo.\t0", "exactly one"),
        ("x\t1\ta {noun} and {noun}.\t0", "exactly one"),
        ("x\t1\ta photo of {article_noun}.\t0", "exactly one"),
        ("x\t1\ta photo of {noun.\t0", "exactly one"),
        ("x\t1\ta photo of a {noun}.\t0", "before the noun is known"),
        ("x\t1\tan {noun}.\t0", "before the noun is known"),
        ("x\t1\ta photo of {a_noun}\t0", "full stop"),
        ("x\t1\ta  photo of {a_noun}.\t0", "single spaces"),
        ("x\tmany\ta photo of {a_noun}.\t0", "weight 'many'"),
        ("x\t0\ta photo of {a_noun}.\t0", "weight '0'"),
        ("x\tnan\ta photo of {a_noun}.\t0", "weight 'nan'"),
        ("x\t1\ta photo of {a_noun}.\t1", "core '1'"),
        ("core-x\t1\ta photo of {a_noun}.\t0", "core '0'"),
        ("X y\t1\ta photo of {a_noun}.\t0", "id 'X y'"),
        ("core-a\t1\tthe {noun}.\t1", "stands already in row 2"),
        ("y\t1\tthis is {a_noun}.\t0", "stands already in row 2"),
        ("x\t1\ta photo of {a_noun}.", "4 cells expected, 3 found"),
    ],
)
def test_a_mistake_in_a_template_file_is_named_with_file_and_row(tmp_path: Path, row: str, message: str) -> None:
    path = tmp_path / "singular.tsv"
    path.write_text(f"id\tweight\ttemplate\tcore\ncore-a\t1\tthis is {{a_noun}}.\t1\n{row}\n", encoding="utf-8")
    with pytest.raises(NounflowError) as error:
        read_templates(path, "singular")
    assert message in str(error.value)
    assert f"{path}, row 3" in str(error.value)


def test_a_template_file_of_another_editor_is_read(tmp_path: Path) -> None:
    path = tmp_path / "singular.tsv"
    path.write_bytes(b"\xef\xbb\xbfid\tweight\ttemplate\tcore\r\ncore-a\t1\tthis is {a_noun}.\t1\r\n")
    assert [template.text for template in read_templates(path, "singular")] == ["this is {a_noun}."]


def test_a_plural_template_with_an_article_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "plural.tsv"
    path.write_text("id\tweight\ttemplate\tcore\ncore-a\t1\tthese are {a_noun}.\t1\n", encoding="utf-8")
    with pytest.raises(NounflowError, match="plurals have no article"):
        read_templates(path, "plural")


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "There is no singular template file"), (b"", "found: nothing"), (b"id,weight\n", "tab-separated"),
     (b"\xff\xfa", "UTF-8"), (b"id\tweight\ttemplate\tcore\nx\t1\tthe {noun}.\t0\n", "core = 1")],
)  # fmt: skip
def test_a_template_file_that_is_missing_empty_foreign_or_without_core_is_refused(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    path = tmp_path / "singular.tsv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(NounflowError, match=message) as error:
        read_templates(path, "singular")
    assert str(path) in str(error.value)
