"""M1, M2, M3: texts that name one, two and three nouns."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from caption_material import ENTRIES, lexicon_of, multiset, whole_words, written

from nounflow.captions.forms import CaptionLexicon
from nounflow.captions.multisets import BLOCK, compose, multiset_rows
from nounflow.captions.templates import Templates
from nounflow.config.captions import MultisetConfig, SourceConfig
from nounflow.errors import MismatchError, NounflowError


@pytest.mark.parametrize("m", [1, 2, 3])
def test_any_range_of_rows_equals_the_same_rows_of_the_whole(nouns: pl.DataFrame, templates: Templates, m: int) -> None:
    whole = multiset(nouns, templates, m, 12 if m == 1 else 300)
    rows = multiset_rows(whole)
    assert len(rows) == whole.rows
    middle = len(rows) // 2
    cuts = [0, 1, 5, middle, middle + 1, len(rows) - 1, len(rows), len(rows) + 10]
    for start, stop in pairwise(cuts):
        assert multiset_rows(multiset(nouns, templates, m, whole.texts_per_noun), start, stop).equals(rows[start:stop])
    if m > 1:
        assert len(rows) > 2 * BLOCK
        assert multiset_rows(whole, BLOCK - 3, BLOCK + 3).equals(rows[BLOCK - 3 : BLOCK + 3])


@pytest.mark.parametrize("m", [1, 2])
def test_the_seed_decides_the_rows(nouns: pl.DataFrame, templates: Templates, m: int) -> None:
    first, again = (multiset_rows(multiset(nouns, templates, m, seed=1)) for _ in range(2))
    assert first.equals(again)
    assert not first.equals(multiset_rows(multiset(nouns, templates, m, seed=2)))


def test_m1_gives_every_noun_its_core_templates_and_its_lexicon_weight(
    nouns: pl.DataFrame, templates: Templates
) -> None:
    rows = multiset_rows(multiset(nouns, templates, 1))
    core = {template.id for template in templates.singular if template.core}
    for row in nouns.iter_rows(named=True):
        own = rows.filter(pl.col("targets").list.first() == row["id"])
        assert core <= set(own["template"])
        assert own["weight"].sum() == pytest.approx(row["weight"], rel=1e-5)
        main = (row["singulars"] or row["plurals"])[0]
        assert all(whole_words(text, main) for text in own.filter(pl.col("template").is_in(core))["text"][:7])
    assert len(rows) == 12 * len(nouns)


def test_m1_gives_heavier_nouns_more_texts_and_both_numbers_by_their_shares(
    nouns: pl.DataFrame, templates: Templates
) -> None:
    rows = multiset_rows(multiset(nouns, templates, 1, 40)).explode("targets", "target_weights")
    counts = dict(rows.group_by("targets").len().iter_rows())
    by_noun = dict(zip(nouns["noun"], nouns["id"], strict=True))
    assert counts[by_noun["dog"]] > counts[by_noun["robin"]] > counts[by_noun["unicycle"]] >= 20
    dogs = rows.filter(pl.col("targets") == by_noun["dog"])["text"].to_list()
    plurals = sum(bool(whole_words(text, "dogs")) for text in dogs)
    assert plurals + sum(bool(whole_words(text, "dog")) for text in dogs) == len(dogs)
    assert plurals == pytest.approx(len(dogs) / 3, abs=1)


def test_m1_uses_only_plural_templates_for_a_noun_without_singular(nouns: pl.DataFrame, templates: Templates) -> None:
    scissors = nouns["noun"].to_list().index("scissors")
    texts = multiset_rows(multiset(nouns, templates, 1)).filter(pl.col("targets").list.first() == scissors)
    assert {"these are scissors.", "a photo of scissors."} <= set(texts["text"])
    assert not any("a scissors" in text for text in texts["text"])


def test_m1_counts_the_texts_that_a_noun_with_few_forms_cannot_have(nouns: pl.DataFrame, templates: Templates) -> None:
    table, counts = written(compose(nouns, templates, "m1", SourceConfig(texts_per_noun=120), 1))
    flow = counts.as_dict()["flows"][0]
    assert flow["in"] == 120 * len(nouns)
    assert flow["dropped"]["not made: the noun has too few forms, templates or different sentences"] > 0
    assert flow["out"] == len(table)


@pytest.mark.parametrize("m", [2, 3])
def test_no_tuple_names_a_noun_twice_or_two_synonyms(nouns: pl.DataFrame, templates: Templates, m: int) -> None:
    rows = multiset_rows(multiset(nouns, templates, m, 200))
    sofa, couch = (nouns["noun"].to_list().index(noun) for noun in ("sofa", "couch"))
    for targets in rows["targets"].to_list():
        assert len(set(targets)) == m
        assert not {sofa, couch} <= set(targets)
    assert rows["targets"].explode().is_in([sofa, couch]).any()


@pytest.mark.parametrize("m", [2, 3])
def test_each_noun_appears_in_tuples_near_its_share(nouns: pl.DataFrame, templates: Templates, m: int) -> None:
    per_noun = 400
    rows = multiset_rows(multiset(nouns, templates, m, per_noun))
    counts = np.bincount(rows["targets"].explode().to_numpy(), minlength=len(nouns))
    weights = nouns["weight"].to_numpy()
    expected = weights / weights.sum() * per_noun * len(nouns) * m
    assert np.abs(counts - expected).max() < 20  # draws at random miss by about 80
    assert rows["weight"].unique().to_list() == [1.0]


@pytest.mark.parametrize("m", [2, 3])
def test_a_tuples_nouns_have_one_number_and_stand_in_the_order_of_the_targets(
    nouns: pl.DataFrame, templates: Templates, m: int
) -> None:
    forms = {i: (row["singulars"], row["plurals"]) for i, row in enumerate(nouns.iter_rows(named=True))}
    articled: Counter[bool] = Counter()
    for text, targets in multiset_rows(multiset(nouns, templates, m, 20)).select("text", "targets").iter_rows():
        positions = []
        for number in (0, 1):
            found = [
                [hit.start() for form in forms[target][number] for hit in re.finditer(rf"\b{form}\b", text)]
                for target in targets
            ]
            if all(found):
                positions.append([hits[0] for hits in found])
        assert positions, text
        assert any(order == sorted(order) for order in positions), text
        articled[len(re.findall(r"\ban? (?:owl|oak|dog|car)\b", text)) > 1] += 1
        assert not re.search(r"\ba (?:owl|oak|apple|umbrella|X-ray|hourglass|heirloom|axe?|axis)\b", text)
        assert not re.search(r"\ban (?:dog|car|robin|unicycle|sheep|hammer|hotel|boat)\b", text)
    assert articled[True]  # each noun has an article of its own


@pytest.mark.parametrize("source", ["m1", "m2", "m3"])
def test_a_multiset_is_a_table_of_distinct_texts_whose_counts_tally(
    nouns: pl.DataFrame, templates: Templates, tmp_path: Path, source: str
) -> None:
    table, counts = written(compose(nouns, templates, source, MultisetConfig().of(source), 3))
    assert table["text"].n_unique() == len(table)
    sums = table["target_weights"].list.sum()
    assert ((sums - 1).abs() < 1e-5).all()
    assert (table["targets"].list.len() == table["target_weights"].list.len()).all()
    assert table["text"].str.ends_with(".").all()
    assert not table["text"].str.contains(r"[{}]").any()
    flows = {flow["name"]: flow for flow in counts.as_dict()["flows"]}
    assert flows[source]["in"] == len(nouns) * {"m1": 14, "m2": 4, "m3": 3}[source]
    assert flows[source]["out"] == len(table)
    assert flows["nouns"]["out"] == table["targets"].explode().n_unique()


def test_two_nouns_with_the_same_plural_share_the_text(nouns: pl.DataFrame, templates: Templates) -> None:
    table, _ = written(compose(nouns, templates, "m1", SourceConfig(texts_per_noun=120), 1))
    ax, axis = (nouns["noun"].to_list().index(noun) for noun in ("ax", "axis"))
    shared = table.filter(pl.col("targets").list.len() == 2)
    assert len(shared)
    assert {tuple(sorted(targets)) for targets in shared["targets"].to_list()} == {tuple(sorted((ax, axis)))}


def test_a_source_that_is_no_multiset_is_refused(nouns: pl.DataFrame, templates: Templates) -> None:
    with pytest.raises(NounflowError, match="no multiset 'x4'"):
        compose(nouns, templates, "x4", SourceConfig(texts_per_noun=1), 1)


def test_a_lexicon_of_synonyms_is_too_small_for_tuples(templates: Templates) -> None:
    synonyms = lexicon_of([entry for entry in ENTRIES if entry[0] in ("sofa", "couch")])
    with pytest.raises(NounflowError, match="M2 needs 2 nouns of different meaning"):
        multiset_rows(multiset(synonyms, templates, 2))


def test_tuples_of_a_lexicon_of_three_nouns_are_sound(templates: Templates) -> None:
    rows = multiset_rows(multiset(lexicon_of(ENTRIES[:3]), templates, 3, 50))
    assert {tuple(sorted(targets)) for targets in rows["targets"].to_list()} == {(0, 1, 2)}


def test_a_lexicon_with_a_noun_without_forms_is_refused(templates: Templates) -> None:
    with pytest.raises(MismatchError, match="the first is 'dog'"):
        CaptionLexicon.of(lexicon_of([ENTRIES[0], ("dog", "animal", "canine", "", 3, "", "")]))
