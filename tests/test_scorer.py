"""The scorer: weights by hand, arrays against loops, comparisons, calibration, hierarchy, formats, provenance."""

from __future__ import annotations

import csv
import itertools
import json
import math
import subprocess

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from synthetic_results import NOUNS, annotations, manifest, nouns_table, predictions

from nounflow.cli import main as nounflow_command
from nounflow.errors import NounflowError
from nounflow.schemas.documents import Labels, PeopleAgreement, write_document
from nounflow.schemas.tables import lexicon_digest
from nounflow.scoring.answers import answers, judge
from nounflow.scoring.calibration import calibration, calibration_interval, risk_coverage
from nounflow.scoring.evaluation import ImageSet, ScoredLexicon, ScoredRun
from nounflow.scoring.hierarchy import Hierarchy, read_overrides
from nounflow.scoring.intervals import holm, mean_estimate, mean_interval
from nounflow.scoring.load import lexicon_entries
from nounflow.scoring.markup import latex_table, markdown_table
from nounflow.scoring.points import POINTS, judgements
from nounflow.scoring.provenance import find_row, provenance, reproduction
from nounflow.scoring.published import published_rows
from nounflow.scoring.results import Provenance
from nounflow.scoring.rows import write_scores
from nounflow.scoring.scores import score_all
from nounflow.scoring.tables import published_table, score_table
from nounflow.scoring.terminal import terminal_table
from nounflow.scoring.values import correct_values, overall_values, prediction_values, primary_values, top_k
from nounflow.scoring.wording import comparison
from nounflow.streams import stream

ENTRIES = lexicon_entries(nouns_table())
LEXICON = ScoredLexicon("tiny", lexicon_digest(NOUNS), frozenset(ENTRIES), ENTRIES)

# category of a first noun -> prediction, primary, right, prediction if unjudged nouns were right
TRUTH = {
    "correct_primary": (1.0, 1.0, 1.0, 1.0),
    "correct_secondary": (0.8, 0.0, 1.0, 0.8),
    "close_primary": (0.5, 0.5, 0.0, 0.5),
    "close_secondary": (0.4, 0.0, 0.0, 0.4),
    "incorrect": (0.0, 0.0, 0.0, 0.0),
    None: (0.0, 0.0, 0.0, 1.0),
}


def judged_as(categories):
    """Answers n0, n1, ... to one image, judged so."""
    lists = {}
    for i, category in enumerate(categories):
        if category:
            lists.setdefault(category, []).append(f"n{i}")
    document = predictions("a", {"1.png": [f"n{i}" for i in range(len(categories))]})
    return judge(answers(document), judgements(annotations({"1.png": lists})))


def score(documents, judged, labels=None, **options):
    runs = {one.run: ScoredRun(manifest(one.run, one.predictor), LEXICON) for one in documents}
    sets = {one.image_set: ImageSet(one.image_set, labels or {}) for one in documents}
    return score_all(documents, judged, runs, sets, **options)


@pytest.mark.parametrize("category", TRUTH)
@pytest.mark.parametrize("factor", [1.0, 0.5])
def test_every_weight_is_that_of_the_table_worked_by_hand(category, factor):
    judged = judged_as([category])
    prediction, primary, right, bound = TRUTH[category]
    assert prediction_values(judged) == (prediction, bound)
    assert primary_values(judged).worst == primary
    assert correct_values(judged, 1).worst == right
    assert overall_values(judged, np.array([factor])) == (prediction * factor, bound * factor)


@pytest.mark.parametrize("pair", list(itertools.product(TRUTH, repeat=2)))
def test_the_top_k_score_takes_the_better_of_every_pair_of_categories(pair):
    judged = judged_as(pair)
    expected = max(TRUTH[category][0] for category in pair)
    assert prediction_values(judged, 3).worst == expected
    bound = max(TRUTH[category][3] for category in pair)
    assert top_k(judged)[1] == (2, expected, max(TRUTH[category][2] for category in pair), bound)
    assert top_k(judged)[0][1] == TRUTH[pair[0]][0]


CATEGORY = st.sampled_from([*POINTS, None])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(CATEGORY, min_size=0, max_size=7), min_size=1, max_size=12), st.data())
def test_the_arrays_agree_with_plain_loops(images, data):
    answered = {f"{i}.png": [f"n{k}" for k in range(len(image))] for i, image in enumerate(images) if image}
    unreadable = {f"{i}.png": "broken" for i, image in enumerate(images) if not image}
    lists = {f"{i}.png": {} for i in range(len(images))}
    for i, image in enumerate(images):
        for k, category in enumerate(image):
            if category:
                lists[f"{i}.png"].setdefault(category, []).append(f"n{k}")
    judged = judge(answers(predictions("a", answered, unreadable=unreadable)), judgements(annotations(lists)))
    factors = np.array(data.draw(st.lists(st.sampled_from([0.5, 1.0]), min_size=len(images), max_size=len(images))))
    weight = {name: row[0] for name, row in TRUTH.items()}
    for k in (1, 3, 5):
        total = 0.0
        for file in judged.images:
            total += max((weight[category] for category in images[int(file[:-4])][:k]), default=0.0)
        assert prediction_values(judged, k).worst.mean() == pytest.approx(total / len(images))
    overall = 0.0
    for file, factor in zip(judged.images, factors, strict=True):
        image = images[int(file[:-4])]
        overall += weight[image[0]] * factor if image else 0.0
    assert overall_values(judged, factors).worst.mean() == pytest.approx(overall / len(images))
    right = sum(any(c in ("correct_primary", "correct_secondary") for c in image[:5]) for image in images)
    assert correct_values(judged, 5).worst.mean() == pytest.approx(right / len(images))
    for worst, best in (primary_values(judged), correct_values(judged, 1), prediction_values(judged, 5)):
        assert (worst <= best).all()


def counts_of(row, n):
    """Images of each category, and which of them have a coarse noun, that come to a published row.

    Points are tenths: 10, 8, 5, 4. Primary ones make up the primary score, secondary ones the rest of the prediction
    score, and half the points of coarse nouns are what the overall score lacks.
    """
    primary = 5 * round(row.primary_score * 10 * n / 5)
    secondary = 4 * round((row.prediction_score - row.primary_score) * 10 * n / 4)
    close = 2 + primary % 10 // 5
    counts = [(primary - 5 * close) // 10, secondary // 8, close, secondary % 8 // 4]
    lacking = 2 * round((primary + secondary) - row.overall_score * 10 * n + 1e-9, 1)
    for coarse in itertools.product(*(range(min(one, 5) + 1) for one in counts[1:])):
        first, odd = divmod(round(lacking) - sum(map(math.prod, zip(coarse, (8, 5, 4), strict=True))), 10)
        if odd == 0 and 0 <= first <= counts[0]:
            return counts, (first, *coarse)
    raise AssertionError(row)


@pytest.mark.parametrize("row", published_rows(), ids=lambda row: f"{row.image_set} {row.model}")
def test_every_published_row_is_what_whole_numbers_of_images_come_to(row):
    n = {"World-H": 272, "Wiki-H": 1000}[row.image_set]
    counts, coarse = counts_of(row, n)
    counts, coarse = [*counts, n - sum(counts)], [*coarse, 0]
    said = [(name, i < few) for name, many, few in zip(POINTS, counts, coarse, strict=True) for i in range(many)]
    lists = {f"{i:04}.png": {name: ["noun"]} for i, (name, _) in enumerate(said)}
    factors = [0.5 if vague else 1.0 for _, vague in said]
    judged = judge(answers(predictions("a", {file: ["noun"] for file in lists})), judgements(annotations(lists)))
    for values, expected in (
        (primary_values(judged), row.primary_score),
        (prediction_values(judged), row.prediction_score),
        (overall_values(judged, np.array(factors)), row.overall_score),
    ):
        # Published with two decimals of percent, rounded from three.
        assert 100 * values.worst.mean() == pytest.approx(100 * expected, abs=0.0055)


# --- comparison ---


def noisy(run, share, predictor="decoder", n=200):
    rng = np.random.default_rng(len(run))
    return predictions(run, {f"{i}.png": ["dog" if rng.random() < share else "cat"] for i in range(n)}, predictor)


DOGS = annotations({f"{i}.png": {"correct_primary": ["dog"], "incorrect": ["cat"]} for i in range(200)})


def test_every_run_is_compared_with_every_run_and_the_matrix_is_antisymmetric():
    scores = score([noisy("a", 0.6), noisy("bb", 0.5), noisy("ccc", 0.1, "retrieval")], [DOGS])
    (one,) = scores.comparisons
    assert one.runs == ("a", "bb", "ccc")
    points = {row.run: row.prediction_score for row in scores.rows}
    for i, j in itertools.product(range(3), repeat=2):
        assert one.difference[i][j] == pytest.approx(points[one.runs[i]] - points[one.runs[j]])
        assert one.low[i][j] == -one.high[j][i]
        assert one.p[i][j] == one.p[j][i] <= one.p_holm[i][j]
    row = scores.rows[0]
    assert (row.difference_low, row.difference_high) == (one.low[0][2], one.high[0][2])
    assert row.difference_p == one.p[0][2] < 0.001


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from([-1.0, -0.5, 0.0, 0.5, 1.0]), min_size=5, max_size=80))
def test_a_p_value_is_below_5_percent_only_if_the_interval_leaves_out_0(values):
    low, high, p = mean_estimate(values, stream(1, "p"), draws=2000)
    assert 0 < p <= 1
    if p < 0.048:
        assert low > 0 or high < 0
    if low > 0.001 or high < -0.001:
        assert p < 0.055


def test_p_values_of_runs_that_do_not_differ_are_spread_evenly():
    rng = np.random.default_rng(3)
    found = [mean_estimate(rng.choice([-1.0, 0.0, 1.0], size=300), stream(i, "null"), draws=1000).p for i in range(300)]
    assert stats.kstest(found, "uniform").pvalue > 0.001
    assert 0.02 < np.mean(np.array(found) < 0.05) < 0.09


def test_holm_agrees_with_the_example_worked_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_the_interval_of_many_distinct_values_agrees_with_scipy():
    rng = np.random.default_rng(2)
    values = rng.beta(0.5, 0.7, size=3000)
    oracle = stats.bootstrap((values,), np.mean, n_resamples=4999, rng=rng).confidence_interval
    assert mean_interval(values, stream(1, "continuous")) == pytest.approx((oracle.low, oracle.high), abs=0.002)


# --- calibration ---


def test_the_calibration_error_of_an_example_worked_by_hand():
    probability = np.array([0.95, 0.97, 0.94, 0.2])
    error, bins = calibration(probability, np.array([True, False, True, False]))
    by_hand = (3 * abs((0.95 + 0.97 + 0.94) / 3 - 2 / 3) + 1 * 0.2) / 4
    assert error == pytest.approx(by_hand)
    assert [held.n for held in bins] == [1, 3]
    assert calibration(np.array([1.0, 1.0]), np.array([True, True]))[0] == 0.0


@pytest.mark.parametrize("over", [0.0, 0.1, 0.3])
def test_the_interval_of_the_calibration_error_holds_the_true_one(over):
    rng = np.random.default_rng(5)
    found = []
    for i in range(60):
        claimed = rng.uniform(0.35, 1.0, size=400)
        right = rng.random(400) < claimed - over
        found.append(calibration_interval(claimed, right, stream(i, "ece"), draws=500))
    assert all(0 <= low <= high <= 1 for low, high in found)
    if over:
        assert sum(low <= over <= high for low, high in found) >= 53  # 95 % of 60 are 57
    else:  # the error of a run that is right about itself is 0.05 here, by chance
        assert np.mean([low for low, _ in found]) < 0.01


def test_the_interval_of_the_calibration_error_agrees_with_drawing_images():
    rng = np.random.default_rng(6)
    claimed = rng.beta(2, 1, size=300)
    right = rng.random(300) < 0.5
    error = calibration(claimed, right)[0]
    drawn = rng.integers(0, 300, size=(2000, 300))
    low, high = np.quantile([calibration(claimed[one], right[one])[0] for one in drawn], [0.025, 0.975])
    found = calibration_interval(claimed, right, stream(1, "ece"))
    assert found == pytest.approx((2 * error - high, 2 * error - low), abs=0.006)


def test_risk_falls_with_certainty_and_ends_at_the_share_of_errors():
    probability = np.array([0.9, 0.8, 0.7, 0.6])
    found = risk_coverage(probability, np.array([True, True, False, False]))
    assert found.coverage[-1] == 1.0
    assert found.risk[-1] == 0.5
    assert found.area == pytest.approx((0 + 0 + 1 / 3 + 1 / 2) / 4)


@given(st.permutations([True, True, False, False, True]))
def test_images_of_one_probability_are_in_no_order(correct):
    found = risk_coverage(np.full(5, 0.5), np.array(correct))
    assert found.risk == pytest.approx([0.4] * len(found.risk))


# --- hierarchy ---


@pytest.fixture(scope="module")
def hierarchy(wordnet):
    table = nouns_table(("dog", "wolf", "cat", "bird", "robin", "car", "automobile"))
    keys = {name: [wordnet.senses(name)[0].sense_keys[0]] for name in table["noun"]}
    table = table.with_columns(pl.Series("sense_keys", [keys[name] for name in table["noun"]]))
    return Hierarchy(wordnet, [table])


def test_information_grows_downwards_and_lin_is_a_similarity(hierarchy, wordnet):
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


def test_lin_agrees_with_a_count_over_all_nouns(hierarchy, wordnet):
    frequencies = dict(zip(("dog", "wolf", "cat", "bird", "robin", "car", "automobile"), range(1, 8), strict=True))
    frequencies = {name: 1e-4 / rank for name, rank in frequencies.items()}
    floor = min(frequencies.values()) / 2

    def content(offset):
        held = set(wordnet.descendants(offset))
        below = sum(f for name, f in frequencies.items() if wordnet.senses(name)[0].id in held)
        return -math.log((below + floor) / (sum(frequencies.values()) + floor))

    dog, cat = (wordnet.senses(name)[0].id for name in ("dog", "cat"))
    shared = set(wordnet.ancestors(dog)) & set(wordnet.ancestors(cat))
    expected = 2 * max(map(content, shared)) / (content(dog) + content(cat))
    assert hierarchy.nearness((dog,), (cat,)) == pytest.approx(expected)


def test_coarse_nouns_count_half_and_a_file_overrules(hierarchy, wordnet, tmp_path):
    assert [hierarchy.specificity(name) for name in ("bird", "robin", "car", "")] == [0.5, 1.0, 0.5, 0.5]
    assert hierarchy.specificity("no such word") == 1.0
    (tmp_path / "specificity.json").write_text('{"bird": 1, "Robin": 0.25}')
    other = Hierarchy(wordnet, [], overrides=read_overrides(tmp_path / "specificity.json"))
    assert [other.specificity(name) for name in ("bird", "robin", "car")] == [1.0, 0.25, 0.5]
    (tmp_path / "specificity.json").write_text('{"bird": 2}')
    with pytest.raises(NounflowError, match="factors from 0 to 1"):
        read_overrides(tmp_path / "specificity.json")


def test_a_row_agrees_with_a_table_worked_by_hand(hierarchy):
    by_hand = {  # first and second noun; category of the first, of the second; points, specificity of the first
        "1.png": (("bird", "robin"), ("correct_primary", None), 1.0, 0.5),
        "2.png": (("robin", "bird"), ("correct_secondary", "correct_primary"), 0.8, 1.0),
        "3.png": (("car", "dog"), ("close_primary", "incorrect"), 0.5, 0.5),
        "4.png": (("wolf", "cat"), ("close_secondary", "close_primary"), 0.4, 1.0),
        "5.png": (("bird", "car"), ("incorrect", "correct_secondary"), 0.0, 0.5),
    }
    lists = {
        file: {category: [noun] for noun, category in zip(nouns, categories, strict=True) if category}
        for file, (nouns, categories, _, _) in by_hand.items()
    }
    document = predictions("a", {file: nouns for file, (nouns, *_) in by_hand.items()})
    (row,) = score([document], [annotations(lists)], hierarchy=hierarchy).rows
    assert row.prediction_score == pytest.approx((1 + 0.8 + 0.5 + 0.4 + 0) / 5)
    assert row.primary_score == pytest.approx((1 + 0.5) / 5)
    assert row.overall_score == pytest.approx(sum(points * specific for _, _, points, specific in by_hand.values()) / 5)
    assert row.overall_score == pytest.approx((0.5 + 0.8 + 0.25 + 0.4 + 0) / 5)
    assert row.top1_correct == pytest.approx(2 / 5)
    assert row.top3_score == row.top5_score == pytest.approx((1 + 1 + 0.5 + 0.5 + 0.8) / 5)
    assert row.top5_correct == pytest.approx(3 / 5)
    assert row.distinct_nouns == 4
    assert row.effective_nouns == pytest.approx(math.exp(-(0.4 * math.log(0.4) + 3 * 0.2 * math.log(0.2))))
    assert row.top_noun_share == pytest.approx(2 / 5)
    assert row.calibration_error == pytest.approx(0.5 - 2 / 5)  # every first noun was given with one half


def test_synonyms_share_their_judgement_and_never_lose_by_it(hierarchy):
    answers_given = {"1.png": ["automobile"], "2.png": ["car"], "3.png": ["cat"], "4.png": ["automobile"]}
    judged = annotations({"1.png": {"correct_primary": ["car"]}, "3.png": {"close_primary": ["cat"]}, "4.png": {}})
    labels = {"4.png": Labels(gold="tree", secondary=("car",))}
    scores = score([predictions("a", answers_given)], [judged], labels, hierarchy=hierarchy)
    (row,) = scores.rows
    assert row.prediction_score == pytest.approx(0.5 / 4)
    assert row.synonym_score == pytest.approx((1 + 0.5 + 0.8) / 4)
    assert row.synonym_score_if_unjudged_right == pytest.approx((1 + 1 + 0.5 + 0.8) / 4)


def test_the_hierarchical_score_is_over_labelled_images_and_a_missing_answer_is_far(hierarchy):
    document = predictions("a", {"1.png": ["dog"], "2.png": ["wolf"], "9.png": ["cat"]}, unreadable={"3.png": "cut"})
    labels = {f"{i}.png": Labels(gold="dog", sense="dog%1:05:00::") for i in (1, 2, 3)}
    (row,) = score([document], [], labels, hierarchy=hierarchy).rows
    wolf = hierarchy.nearness(hierarchy.senses("wolf"), hierarchy.senses("dog"))
    assert row.hierarchical_score == pytest.approx((1 + wolf + 0) / 3)
    assert row.prediction_score is None


# --- parts, diversity ---


def test_kinds_and_bands_share_out_the_labelled_images():
    labels = {"1.png": Labels(gold="dog"), "2.png": Labels(gold="teapots"), "3.png": Labels(gold="wombat")}
    judged = annotations({f"{i}.png": {"correct_primary": ["dog"]} for i in (1, 2, 3)})
    scores = score([predictions("a", {f"{i}.png": ["dog"] for i in (1, 2, 3, 4)})], [judged], labels)
    (one,) = scores.details
    assert one.parts_by == "label"
    assert {part.name: part.n for part in one.kinds} == {"animal": 1, "artifact": 1, "unknown": 1}
    assert {part.name: part.n for part in one.bands} == {"1 to 10": 2, "in no lexicon": 1}
    (unlabelled,) = score([predictions("a", {"1.png": ["dog"], "2.png": ["teapot"]})], [judged]).details
    assert unlabelled.parts_by == "noun"
    assert {part.name: part.n for part in unlabelled.kinds} == {"animal": 1, "artifact": 1}


def test_as_many_effective_nouns_as_equally_frequent_ones():
    document = predictions("a", {f"{i}.png": [NOUNS[i % 4]] for i in range(12)})
    (row,) = score([document], []).rows
    assert row.effective_nouns == pytest.approx(4)
    assert row.top_noun_share == 0.25


# --- formats, provenance ---


def test_markdown_and_latex_hold_the_same_cells_with_bounds_and_marked_published_rows():
    half = annotations({"0.png": {"correct_primary": ["dog"], "incorrect": ["cat"]}})
    scores = score([noisy("a_b", 0.6, n=4)], [half])
    rows = published_rows()
    largest = [row for row in rows if row.model.endswith("378 FT0")]
    assert [row.prediction_score for row in largest] == pytest.approx([0.8827, 0.7918])
    assert [row.overall_score for row in largest] == pytest.approx([0.8790, 0.7821])
    tables = [score_table(scores.rows), published_table(rows)]
    text, tex = ("\n".join(map(written, tables)) for written in (markdown_table, latex_table))
    for table in (text, tex):
        assert "published, not measured here" in table
        assert f"at most {100 * scores.rows[0].score_if_unjudged_right:.1f}" in table
    assert r"a\_b & decoder" in tex
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in lines[:3]}) == 1


def test_digests_tell_settings_and_splits_apart():
    first = score([noisy("a", 0.5)], []).rows[0]
    assert first == score([noisy("a", 0.5)], []).rows[0]
    labelled = score([noisy("a", 0.5)], [], {"1.png": Labels(gold="dog")}).rows[0]
    assert labelled.split != first.split
    assert labelled.config == first.config
    fewer = score([noisy("a", 0.5, n=199)], []).rows[0]
    assert fewer.split not in (first.split, labelled.split)
    others = noisy("a", 0.5).model_copy(update={"images": "of other bytes under the same names"})
    assert score([others], []).rows[0].split not in (first.split, labelled.split, fewer.split)


def test_how_far_a_judge_agrees_with_people_stands_beside_every_score_that_it_judged():
    from rich.console import Console

    agreement = PeopleAgreement(
        people=("ann", "bob"), pairs=1120, share=0.8, kappa=0.714, kappa_coarse=None, kappa_voting=0.7,
        held_out=False, confusion={},
    )  # fmt: skip
    machine = DOGS.model_copy(update={"annotator": "machine", "agreement": agreement})
    scores = score([noisy("a", 0.6), noisy("bb", 0.5, "retrieval")], [DOGS, machine])
    compared, alone = scores.rows[:2]  # sorted by name: machine, wordnet
    assert (alone.judge_kappa, alone.judge_kappa_coarse, alone.judge_pairs) == (None, None, None)
    assert (compared.judge_kappa, compared.judge_kappa_coarse, compared.judge_pairs) == (0.714, None, 1120)
    words = "machine (κ 0.71 with people, 1,120 nouns)"
    assert words in markdown_table(score_table(scores.rows))
    assert words.replace("κ", r"$\kappa$") in latex_table(score_table(scores.rows))
    assert words in comparison(compared)
    console = Console(width=240, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(terminal_table(scores.rows))
    assert console.export_text().count("κ 0.71") == 2


def made_by_workflow():
    config = {"runs": {"a": {"seed": 1}, "bb": {}, "ccc": {}}, "image_sets": {"photos": {}, "more": {}}}
    scores = score([noisy("a", 0.6), noisy("bb", 0.5), noisy("ccc", 0.1, "retrieval")], [DOGS])
    origin = Provenance(nounflow="0.1.0", commit="0123abc", config=config)
    return scores.model_copy(update={"provenance": origin})


def test_reproduce_prints_commit_config_and_command_of_one_row():
    scores = made_by_workflow()
    text = reproduction(scores, find_row(scores, "a"))
    assert "git checkout 0123abc" in text
    assert text.endswith("snakemake --cores all --configfile reproduce.yaml -- results/scores.tsv")
    config = json.loads(text.split("<<'END'\n")[1].split("\nEND\n")[0])
    assert config["runs"] == {"a": {"seed": 1}, "bb": None, "ccc": {}}  # ccc: the retrieval run it is held against
    assert config["image_sets"] == {"photos": {}, "more": None}
    fused = config | {"runs": {"a": {"lexicon": "d", "fused": {"parts": ["bb"]}}, "bb": {}, "ccc": {}, "d": {}}}
    origin = Provenance(nounflow="0.1.0", config=fused)
    text = reproduction(scores.model_copy(update={"provenance": origin}), scores.rows[0])
    assert '"bb": {}' in text  # a part of the run
    assert '"d": null' in text
    assert find_row(scores, "2").run == find_row(scores, "bb/photos/wordnet").run == "bb"
    with pytest.raises(NounflowError, match="No row is called 'b'"):
        find_row(scores, "b")
    with pytest.raises(NounflowError, match="do not say which config"):
        reproduction(scores.model_copy(update={"provenance": None}), scores.rows[0])


def test_the_commands_print_every_format_from_one_table(tmp_path, capsys):
    scores = made_by_workflow()
    table = str(tmp_path / "scores.tsv")
    write_scores(tmp_path / "scores.tsv", scores.rows)
    write_document(tmp_path / "scores.json", scores)

    def said(*arguments):
        nounflow_command([*arguments])
        return capsys.readouterr().out

    assert said("scores", table, "--format", "tsv") == (tmp_path / "scores.tsv").read_text()
    assert json.loads(said("scores", table, "--format", "json"))["comparisons"][0]["runs"] == ["a", "bb", "ccc"]
    assert "| a | decoder |" in said("scores", table, "--format", "markdown")
    assert r"\toprule" in said("scores", table, "--format", "latex")
    assert "minus bb" in said("scores", table, "--against", "bb")
    text = said("scores", table, "--against", "bb", "--format", "tsv")
    rows = list(csv.DictReader(text.splitlines(), delimiter="\t"))
    also = json.loads(said("scores", table, "--against", "bb", "--format", "json"))
    assert [row["run"] for row in rows] == [row["run"] for row in also] == ["a", "ccc"]
    (one,) = scores.comparisons
    for row, other, i in zip(rows, also, (0, 2), strict=True):
        for column in ("difference", "low", "high", "p", "p_holm"):
            assert float(row[column]) == pytest.approx(getattr(one, column)[i][1], rel=1e-5)
            assert other[column] == getattr(one, column)[i][1]
    assert "| a | photos | wordnet |" in said("scores", table, "--against", "bb", "--format", "markdown")
    assert r"minus bb & p & p (Holm) \\" in said("scores", table, "--against", "bb", "--format", "latex")
    for clash in (("--format", "tsv"), ("--format", "json"), ("--against", "bb")):
        with pytest.raises(SystemExit):
            said("scores", table, "--published", *clash)
        assert "take --published without --against" in capsys.readouterr().err
    assert "not measured here" in said("scores", table, "--published")
    assert "git checkout" in said("reproduce", "bb", "--table", table)
    with pytest.raises(SystemExit):
        said("scores", table, "--against", "nobody")
    assert "take one of a, bb, ccc" in capsys.readouterr().err


def test_provenance_knows_the_commit_and_whether_the_code_was_changed(tmp_path, monkeypatch):
    monkeypatch.setenv("NOUNFLOW_CONFIG", '{"runs": {}}')
    assert provenance(tmp_path).commit is None
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    (tmp_path / "file").write_text("1")
    for command in (["init", "-q"], ["add", "file"], ["commit", "-q", "-m", "first"]):
        subprocess.run([*git, *command], check=True)
    found = provenance(tmp_path)
    assert len(found.commit) == 40
    assert not found.changed
    assert found.config == {"runs": {}}
    (tmp_path / "file").write_text("2")
    assert provenance(tmp_path).changed
