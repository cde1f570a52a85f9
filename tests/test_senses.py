"""From written forms to meanings: WordNet's senses of a word, and what the forms of a lexicon stand for."""

from __future__ import annotations

import polars as pl
import pytest

from nounflow.errors import NounflowError
from nounflow.senses import LexiconForms, WordSenses
from nounflow.wordnet import WordNet


@pytest.fixture(scope="module")
def words(wordnet: WordNet) -> WordSenses:
    return WordSenses(wordnet)


# --- words of WordNet ---


def test_a_synset_id_is_what_imagenet_calls_it(wordnet: WordNet) -> None:
    dog = wordnet.by_sense_key("dog%1:05:00::")
    if "n02084071" not in wordnet.synsets:
        pytest.skip("this is not WordNet 3.0, whose ids ImageNet took")
    assert dog.id == "n02084071"


@pytest.mark.parametrize("form", ["St. Bernard", "st bernard", "ST-BERNARD", "St Bernard"])
def test_every_spelling_of_a_word_has_its_senses(words: WordSenses, form: str) -> None:
    assert [sense.key for sense in words.senses(form)] == ["st_bernard%1:05:00::"]


def test_a_count_is_that_of_the_word_and_not_of_its_synonyms(words: WordSenses) -> None:
    counts = {sense.key: sense.count for sense in (*words.senses("dog"), *words.senses("domestic dog"))}
    assert counts["dog%1:05:00::"] > 0 == counts["domestic_dog%1:05:00::"]


def test_a_sense_without_counts_has_a_mass_and_a_name_a_smaller_one(words: WordSenses) -> None:
    by_key = {sense.key: sense for sense in words.senses("crane")}
    machine, name = by_key["crane%1:06:00::"], by_key["crane%1:18:00::"]
    assert machine.mass > machine.count
    assert 0 < name.mass - name.count < machine.mass - machine.count


@pytest.mark.parametrize(
    ("plural", "singulars"),
    [
        ("computer mice", ("computer mouse",)),
        ("cacti", ("cactus",)),
        ("Dogs", ("dog",)),
        ("glasses", ("glass",)),
        ("zorb balls", ("zorb ball",)),
        ("dassies", ("dassie",)),
        ("bus", ()),
        ("x2s", ()),
        ("", ()),
    ],
)
def test_a_form_is_the_plural_of_what_it_may_be(words: WordSenses, plural: str, singulars: tuple[str, ...]) -> None:
    assert words.singulars(plural) == singulars
    assert words.readings(plural) == {plural.lower(), *singulars}


def test_a_plural_means_what_its_singular_means_behind_its_own_meanings(words: WordSenses) -> None:
    own = [sense.synset.id for sense in words.senses("glasses")]
    both = list(words.meanings("glasses"))
    assert own
    assert both[: len(own)] == own
    assert {sense.synset.id for sense in words.senses("glass")} <= set(both)


def test_what_wordnet_does_not_know_means_nothing(words: WordSenses) -> None:
    assert not words.knows("zorb ball")
    assert words.meanings("zorb ball") == {}
    assert words.synsets("zorb ball") == ()


# --- with lexicons ---


def chosen(**keys: str) -> pl.DataFrame:
    chosen_keys = [key.split() for key in keys.values()]
    one = pl.DataFrame({"canon": list(keys), "sense_keys": chosen_keys, "hypernym_synsets": [[]] * len(keys)})
    forms = {name: pl.lit([], dtype=pl.List(pl.String)) for name in ("singulars", "plurals")}
    return one.with_columns(noun="canon", synsets="sense_keys", kind=pl.lit("artifact"), gloss=pl.lit(""), **forms)


def test_the_first_lexicon_that_has_a_noun_says_what_it_means(wordnet: WordNet) -> None:
    words = WordSenses(
        wordnet, [chosen(crane="crane%1:05:00::"), chosen(crane="crane%1:06:00::", seal="seal%1:05:00::")]
    )
    assert words.synsets("Crane") == (wordnet.by_sense_key("crane%1:05:00::").id,)
    assert words.synsets("seal") == (wordnet.by_sense_key("seal%1:05:00::").id,)
    assert len(words.synsets("bat")) > 1


def test_every_form_of_a_lexicon_s_noun_means_what_the_noun_means(wordnet: WordNet) -> None:
    """Also of nouns that a supplement added, whose plurals no rule forms back."""
    hoodie = chosen(hoodie="hoodie%1:06:90::").with_columns(
        synsets=pl.lit(["n90000001"]), singulars=pl.lit(["hoodie"]), plurals=pl.lit(["hoodies", "hoodys"])
    )
    words = WordSenses(wordnet, [hoodie])
    assert [list(words.meanings(form)) for form in ("hoodie", "hoodies", "Hoodys")] == [["n90000001"]] * 3
    assert WordSenses(wordnet).meanings("hoodies") == {}


def test_a_lexicon_of_senses_that_this_wordnet_lacks_is_refused(wordnet: WordNet) -> None:
    with pytest.raises(NounflowError, match="no noun sense 'dog%1:99:00::'"):
        WordSenses(wordnet, [chosen(dog="dog%1:99:00::")])


# --- forms of a lexicon ---

# noun, singular, plural, synsets, those above the first
ENTRIES = [
    ("robin", "robin", "robins", ["n1"], ["n2", "n3"]),
    ("bird", "bird", "birds", ["n2"], ["n3"]),
    ("songster", "songster", "songsters", ["n9", "n2"], ["n8"]),
    ("redbreast", "redbreast", "redbreasts", ["n1"], ["n2", "n3"]),
    ("ax", "ax", "axes", ["n4"], []),
    ("axis", "axis", "axes", ["n5"], []),
    ("PC", "PC", "PCs", ["n6"], []),
    ("unheard of", "unheard of", "", [], []),
]
NAMES = [entry[0] for entry in ENTRIES]


@pytest.fixture(scope="module")
def forms() -> LexiconForms:
    return LexiconForms(
        pl.DataFrame(
            {
                "id": range(len(ENTRIES)),
                "weight": [float(i + 1) for i in range(len(ENTRIES))],
                "singulars": [[entry[1]] for entry in ENTRIES],
                "singular_shares": [[0.75] for _ in ENTRIES],
                "plurals": [[entry[2]] if entry[2] else [] for entry in ENTRIES],
                "plural_shares": [[0.25] if entry[2] else [] for entry in ENTRIES],
                "synsets": [entry[3] for entry in ENTRIES],
                "hypernym_synsets": [entry[4] for entry in ENTRIES],
            }
        )
    )


def test_a_form_stands_for_each_noun_that_has_it_in_its_number_with_its_mass(forms: LexiconForms) -> None:
    assert [(NAMES[use.noun], use.singular, use.plural) for use in forms.uses("Axes")] == [
        ("ax", False, True), ("axis", False, True),
    ]  # fmt: skip
    assert [use.mass for use in forms.uses("axes")] == [5 * 0.25, 6 * 0.25]
    assert [use.acronym for use in (*forms.uses("pc"), *forms.uses("ax"))] == [True, False]
    assert forms.uses("hatchet") == ()


@pytest.mark.parametrize(
    ("noun", "target", "related"),
    [
        ("bird", "robin", True),  # a parent
        ("robin", "bird", False),  # a child
        ("redbreast", "robin", True),  # a synonym
        ("songster", "robin", True),  # a noun of which a further sense is the parent
        ("robin", "songster", False),  # what counts of the target is its first sense
        ("ax", "axis", False),
        ("unheard of", "unheard of", False),
    ],
)
def test_a_noun_is_related_that_can_mean_the_target_or_a_kind_of_thing_that_it_is(
    forms: LexiconForms, noun: str, target: str, related: bool
) -> None:
    assert forms.is_related(NAMES.index(noun), NAMES.index(target)) == related
