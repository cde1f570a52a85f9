"""Which captions are refused, and for what reason."""

from __future__ import annotations

from typing import Literal

import pytest
from check_material import IDS, table_of
from hypothesis import given, settings
from hypothesis import strategies as st

from nounflow.captions.checks import CaptionChecks, number_of
from nounflow.captions.near_duplicates import Kept, shingles, similarity
from nounflow.captions.wording import meta_fault, reads_as_english

SOUND = "A {} stands beside the old wooden door."


@pytest.mark.parametrize(
    ("text", "noun", "fault"),
    [
        (SOUND.format("dog"), "dog", None),
        ("Two dogs rest under a tree at noon.", "dog", None),
        ("Two small dogs and three sheep on the grass.", "sheep", None),
        ("Silk kimono with a floral pattern.", "kimono", None),
        ("The dog's favourite toy lies on the floor.", "dog", None),
        ("A sign that reads \"beware of the dog\" on a gate.", "dog", None),
        ("A green bean sprout on a white plate.", "bean sprout", None),
        ("", "dog", "empty"),
        ("   ", "dog", "empty"),
        ("Dog on grass.", "dog", "shorter than 4 words"),
        ("A dog " + "and so on " * 12, "dog", "longer than 30 words or 250 characters"),
        ("A dog " + "x" * 300 + " on the road.", "dog", "longer than 30 words or 250 characters"),
        ("Here is a caption: a dog on the grass.", "dog", "no caption alone: talk about the answer"),
        ("Sure, a dog runs over the grass.", "dog", "no caption alone: talk about the answer"),
        ("I'm sorry, a dog cannot be described.", "dog", "no caption alone: talk about the answer"),
        ("Caption 3: a dog on the green grass.", "dog", "no caption alone: talk about the answer"),
        ("\"A dog runs over the green grass.\"", "dog", "no caption alone: quotation marks around it"),
        ("'A dog runs over the green grass.'", "dog", "no caption alone: quotation marks around it"),
        ("A dog beside a \"welcome mat at home.", "dog", "no caption alone: a quotation mark without its partner"),
        ("A **dog** runs over the green grass.", "dog", "no caption alone: mark-up"),
        ("3. A dog runs over the green grass.", "dog", "no caption alone: numbering"),
        ("- A dog runs over the green grass.", "dog", "no caption alone: numbering"),
        ("A {singular} and a dog on the grass.", "dog", "no caption alone: a placeholder or code in it"),
        ("A dog runs.\nA dog sleeps on the bed.", "dog", "no caption alone: more than one line"),
        ("A dog \x1b[31msleeps on the bed.", "dog", "no caption alone: a control code in it"),
        ("Ein dog liegt auf dem Sofa und schläft nicht.", "dog", "does not read as English"),
        ("El dog que se come los huesos en una calle.", "dog", "does not read as English"),
        ("Собака dog бежит по зелёной траве.", "dog", "does not read as English"),
        ("Dog blorfing xqzzt wumblic strundle.", "dog", "does not read as English"),
        (SOUND.format("cat"), "dog", "its noun is missing"),
        (SOUND.format("doghouse"), "dog", "its noun is missing"),
        ("A hot dog with mustard on a plate.", "dog", "its noun stands only inside a longer noun"),
        ("There is a dogs, and it is asleep.", "dog", "a word of number and its noun disagree"),
        ("There are two dog, both of them asleep.", "dog", "a word of number and its noun disagree"),
        ("Two dog sleds wait in the deep snow.", "dog", None),
        ("A scissors case lies in the drawer.", "scissors", None),
    ],
)  # fmt: skip
def test_a_caption_is_kept_or_refused_for_the_reason_that_is_wrong_with_it(
    checks: CaptionChecks, text: str, noun: str, fault: str | None
) -> None:
    assert checks.check(text, [IDS[noun]]).fault == fault


@pytest.mark.parametrize(
    ("text", "noun", "number", "fault"),
    [
        ("Two dogs rest under a tree.", "dog", "plural", None),
        ("Two dogs rest under a tree.", "dog", "singular", "its noun is not in the singular"),
        ("The dog rests under a tree.", "dog", "plural", "its noun is not in the plural"),
        ("The sheep rest under a tree.", "sheep", "plural", None),
        ("The sheep rests under a tree.", "sheep", "singular", None),
        ("The dog's friends rest under a tree.", "dog", "singular", None),
        ("One dog among many dogs on the beach.", "dog", "plural", None),
    ],
)
def test_the_number_that_a_source_says_is_held_to(
    checks: CaptionChecks, text: str, noun: str, number: Literal["singular", "plural"], fault: str | None
) -> None:
    assert checks.check(text, [IDS[noun]], number).fault == fault


def test_the_number_comes_from_the_end_of_a_template_id() -> None:
    assert [number_of(name) for name in ("published-plural", "singular", "core-photo", "plurals", "x-singular")] == [
        "plural", "singular", None, None, "singular",
    ]  # fmt: skip


def test_all_nouns_of_a_caption_must_be_there(checks: CaptionChecks) -> None:
    assert checks.check("An owl sits beside a dog.", [IDS["owl"], IDS["dog"]]).fault is None
    assert checks.check("An owl sits beside a cat.", [IDS["owl"], IDS["dog"]]).fault == "its noun is missing"


@pytest.mark.parametrize("text", ["Kimonos and sushi at a Tokyo festival.", "A schnauzer beside a croissant stand."])
def test_loan_words_do_not_make_a_caption_foreign(checks: CaptionChecks, text: str) -> None:
    assert reads_as_english(text.lower().strip(".").split())
    assert meta_fault(text) is None


FOREIGN = """
Un perro dog corre por la playa. | El dog duerme en el sofá rojo. | Tres niños abrazan a su dog. | Un dog en la calle
Ein dog liegt auf dem Sofa. | Mein dog trägt einen roten Hut. | Großer dog vor altem Haus | Ein brauner dog am Strand.
Un dog devant la maison. | Une photo d'un dog noir. | Il dog dorme sul divano rosso. | O dog dorme no sofá vermelho.
De dog slaapt op de rode bank. | En svart dog sover i soffan. | Czarny dog śpi na kanapie. | Bir dog kumsalda koşuyor.
Собака dog спит на диване. | dog 在红色沙发上睡觉 非常 可爱 | A dog 在草地上跑 很快 | كلب dog يجري على العشب
dog が 赤い ソファで 寝ている | Mbwa dog mweusi anakimbia haraka ufukweni | Dog xqzzt wumblic strundle frobnitz
"""
NATIVE = """
A dog eats sushi and ramen in an izakaya. | A dog named Señor Pérez on a hacienda porch. | A dog beside crème brûlée.
The dog runs past a café in Paris. | El Capitan towers over a dog in Yosemite. | Dog beside a piñata at a quinceañera.
A dog at the Oktoberfest with pretzels and bratwurst. | A dog in a dirndl drinks from a stein.
A dog on the Plaza de la Constitución in Mexico City. | A dog at a déjà vu art installation.
A dog with kimchi, bibimbap and bulgogi. | A dog watches paella de mariscos cooking. | Dog near a chaise longue.
"""


def sentences(text: str) -> list[str]:
    return [sentence.strip() for line in text.strip().splitlines() for sentence in line.split("|")]


@pytest.mark.parametrize("text", sentences(FOREIGN))
def test_a_caption_in_another_language_is_refused(checks: CaptionChecks, text: str) -> None:
    assert checks.check(text, [IDS["dog"]]).fault == "does not read as English"


@pytest.mark.parametrize("text", sentences(NATIVE))
def test_an_english_caption_with_foreign_words_is_kept(checks: CaptionChecks, text: str) -> None:
    assert checks.check(text, [IDS["dog"]]).fault is None


def test_a_caption_that_says_the_same_with_other_small_words_or_spellings_is_refused(checks: CaptionChecks) -> None:
    table = table_of(
        ("A large ax leans against the wall of the barn.", "ax"),
        ("The large axe leans against a wall of the barn.", "ax"),
        ("A large ax leans against the red wall of the barn.", "ax"),
        ("The ax was left in a tree trunk.", "ax"),
        ("A large dog leans against the wall of the barn.", "dog"),  # of another noun
    )
    faults = [result.fault for result in checks.check_table(table)]
    nearly = "nearly the same as another caption of the noun"
    assert faults == [None, "the same as another caption of the noun", nearly, None, None]


WORDS = st.lists(st.sampled_from(["red", "blue", "dog", "runs", "over", "grass", "near", "river"]), max_size=9).map(
    tuple
)


@settings(max_examples=150, deadline=None)
@given(st.lists(WORDS, max_size=12), st.floats(0.3, 1))
def test_kept_captions_are_pairwise_below_the_threshold_and_refused_ones_near_a_kept_one(
    captions: list[tuple[str, ...]], threshold: float
) -> None:
    kept = Kept(threshold)
    survivors: list[tuple[str, ...]] = []
    for words in captions:
        fault = kept.fault(words)
        nearest = max((similarity(shingles(words), shingles(other)) for other in survivors), default=-1)
        assert (fault is not None) == (words in survivors or nearest >= threshold)
        if fault is None:
            survivors.append(words)
