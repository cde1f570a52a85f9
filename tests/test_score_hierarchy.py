"""What WordNet's hierarchy adds to scores: nearness, specificity, synonyms."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import polars as pl
import pytest
from score_material import score
from synthetic_results import annotations_of, nouns_table, predictions

from nounflow.errors import NounflowError
from nounflow.schemas.labels import Labels
from nounflow.scoring.hierarchy import Hierarchy, read_overrides
from nounflow.scoring.rows import ScoreRow
from nounflow.wordnet import WordNet


@pytest.fixture(scope="module")
def hierarchy(wordnet: WordNet) -> Hierarchy:
    table = nouns_table(("dog", "wolf", "cat", "bird", "robin", "car", "automobile"))
    keys = {name: [wordnet.senses(name)[0].sense_keys[0]] for name in table["noun"]}
    table = table.with_columns(pl.Series("sense_keys", [keys[name] for name in table["noun"]]))
    return Hierarchy(wordnet, [table])


def test_information_grows_downwards_and_lin_is_a_similarity(hierarchy: Hierarchy, wordnet: WordNet) -> None:
    chain = [wordnet.senses("robin")[0], *wordnet.hypernym_chain(wordnet.senses("robin")[0].id)]
    content = [hierarchy.information(synset.id) for synset in chain]
    assert content == sorted(content, reverse=True)
    assert content[-1] == 0.0
    senses = {name: hierarchy.senses(name) for name in ("dog", "wolf", "cat", "car")}
    for one, other in itertools.product(senses.values(), repeat=2):
        assert hierarchy.nearness(one, other) == pytest.approx(hierarchy.nearness(other, one))
        assert 0 <= hierarchy.nearness(one, other) <= 1
    nearness = {name: hierarchy.nearness(senses["dog"], senses[name]) for name in senses}
    assert nearness["dog"] == 1 > nearness["wolf"] > nearness["cat"] > nearness["car"]


def test_lin_agrees_with_a_count_over_all_nouns(hierarchy: Hierarchy, wordnet: WordNet) -> None:
    names = ("dog", "wolf", "cat", "bird", "robin", "car", "automobile")
    frequencies = {name: 1e-4 / rank for rank, name in enumerate(names, start=1)}
    floor = min(frequencies.values()) / 2

    def content(offset: str) -> float:
        held = set(wordnet.descendants(offset))
        below = sum(f for name, f in frequencies.items() if wordnet.senses(name)[0].id in held)
        return -math.log((below + floor) / (sum(frequencies.values()) + floor))

    dog, cat = (wordnet.senses(name)[0].id for name in ("dog", "cat"))
    shared = set(wordnet.ancestors(dog)) & set(wordnet.ancestors(cat))
    expected = 2 * max(map(content, shared)) / (content(dog) + content(cat))
    assert hierarchy.nearness((dog,), (cat,)) == pytest.approx(expected)


def test_coarse_nouns_count_half_and_a_file_overrules(hierarchy: Hierarchy, wordnet: WordNet, tmp_path: Path) -> None:
    assert [hierarchy.specificity(name) for name in ("bird", "robin", "car", "")] == [0.5, 1.0, 0.5, 0.5]
    assert hierarchy.specificity("no such word") == 1.0
    (tmp_path / "specificity.json").write_text('{"bird": 1, "Robin": 0.25}')
    other = Hierarchy(wordnet, [], overrides=read_overrides(tmp_path / "specificity.json"))
    assert [other.specificity(name) for name in ("bird", "robin", "car")] == [1.0, 0.25, 0.5]
    (tmp_path / "specificity.json").write_text('{"bird": 2}')
    with pytest.raises(NounflowError, match="factors from 0 to 1"):
        read_overrides(tmp_path / "specificity.json")


BY_HAND = {  # first and second noun; category of the first, of the second; points, specificity of the first
    "1.png": (("bird", "robin"), ("correct_primary", None), 1.0, 0.5),
    "2.png": (("robin", "bird"), ("correct_secondary", "correct_primary"), 0.8, 1.0),
    "3.png": (("car", "dog"), ("close_primary", "incorrect"), 0.5, 0.5),
    "4.png": (("wolf", "cat"), ("close_secondary", "close_primary"), 0.4, 1.0),
    "5.png": (("bird", "car"), ("incorrect", "correct_secondary"), 0.0, 0.5),
}


@pytest.fixture(scope="module")
def row_by_hand(hierarchy: Hierarchy) -> ScoreRow:
    lists = {
        file: {category: [noun] for noun, category in zip(nouns, categories, strict=True) if category}
        for file, (nouns, categories, _, _) in BY_HAND.items()
    }
    document = predictions("a", {file: nouns for file, (nouns, *_) in BY_HAND.items()})
    (row,) = score([document], [annotations_of(lists)], hierarchy=hierarchy).rows
    return row


def test_scores_of_the_first_noun_agree_with_a_table_worked_by_hand(row_by_hand: ScoreRow) -> None:
    assert row_by_hand.prediction_score == pytest.approx((1 + 0.8 + 0.5 + 0.4 + 0) / 5)
    assert row_by_hand.primary_score == pytest.approx((1 + 0.5) / 5)
    assert row_by_hand.top1_correct == pytest.approx(2 / 5)


def test_the_overall_score_agrees_with_a_table_worked_by_hand(row_by_hand: ScoreRow) -> None:
    weighted = sum(points * specificity for _, _, points, specificity in BY_HAND.values()) / 5
    assert weighted == pytest.approx((0.5 + 0.8 + 0.25 + 0.4 + 0) / 5)
    assert row_by_hand.overall_score == pytest.approx(weighted)


def test_scores_of_several_nouns_agree_with_a_table_worked_by_hand(row_by_hand: ScoreRow) -> None:
    assert row_by_hand.top3_score == row_by_hand.top5_score == pytest.approx((1 + 1 + 0.5 + 0.5 + 0.8) / 5)
    assert row_by_hand.top5_correct == pytest.approx(3 / 5)


def test_diversity_and_calibration_agree_with_a_table_worked_by_hand(row_by_hand: ScoreRow) -> None:
    entropy = -(0.4 * math.log(0.4) + 3 * 0.2 * math.log(0.2))
    assert row_by_hand.distinct_nouns == 4
    assert row_by_hand.effective_nouns == pytest.approx(math.exp(entropy))
    assert row_by_hand.top_noun_share == pytest.approx(2 / 5)
    assert row_by_hand.calibration_error == pytest.approx(0.5 - 2 / 5)  # every first noun was given with one half


def test_synonyms_share_their_judgement_and_never_lose_by_it(hierarchy: Hierarchy) -> None:
    answers_given = {"1.png": ["automobile"], "2.png": ["car"], "3.png": ["cat"], "4.png": ["automobile"]}
    judged = annotations_of({"1.png": {"correct_primary": ["car"]}, "3.png": {"close_primary": ["cat"]}, "4.png": {}})
    labels = {"4.png": Labels(gold="tree", secondary=("car",))}
    scores = score([predictions("a", answers_given)], [judged], labels, hierarchy=hierarchy)
    (row,) = scores.rows
    assert row.prediction_score == pytest.approx(0.5 / 4)
    assert row.synonym_score == pytest.approx((1 + 0.5 + 0.8) / 4)
    assert row.synonym_score_if_unjudged_right == pytest.approx((1 + 1 + 0.5 + 0.8) / 4)


def test_the_hierarchical_score_is_over_labelled_images_and_a_missing_answer_is_far(hierarchy: Hierarchy) -> None:
    document = predictions("a", {"1.png": ["dog"], "2.png": ["wolf"], "9.png": ["cat"]}, unreadable={"3.png": "cut"})
    labels = {f"{i}.png": Labels(gold="dog", sense="dog%1:05:00::") for i in (1, 2, 3)}
    (row,) = score([document], [], labels, hierarchy=hierarchy).rows
    wolf = hierarchy.nearness(hierarchy.senses("wolf"), hierarchy.senses("dog"))
    assert row.hierarchical_score == pytest.approx((1 + wolf + 0) / 3)
    assert row.prediction_score is None
