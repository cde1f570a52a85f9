"""The open set: draws, negatives, measures, thresholds, gates, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from open_set_material import KNOWN, a_bank, pictures
from sklearn.metrics import average_precision_score, roc_auc_score

from nounflow.config.open_set import NegativesConfig, OpenSetConfig
from nounflow.errors import DamagedFileError, NounflowError
from nounflow.open_set import evaluation
from nounflow.open_set.bank import check_classes, read_bank, unit, write_bank
from nounflow.open_set.calibration import fit_threshold
from nounflow.open_set.comparison import COLUMNS, compare, write_results
from nounflow.open_set.draws import draw_known
from nounflow.open_set.measures import measure, points_at
from nounflow.open_set.negatives import choose_negatives, closeness, no_kinds
from nounflow.open_set.no_store import read_no_model
from nounflow.open_set.patterns import patterns
from nounflow.open_set.reference import Reference, candidate_rows
from nounflow.open_set.trial import Answered, Material
from nounflow.open_set_scores import SCORES
from nounflow.report.open_set import open_set
from nounflow.schemas.documents import read_document
from nounflow.schemas.labels import Labels
from nounflow.schemas.open_set import OpenSetResults
from nounflow.senses import WordSenses
from nounflow.wordnet import WordNet


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


# Draws and negatives


def test_a_draw_keeps_kinds_of_known_nouns_apart_from_unknown_ones(wordnet: WordNet) -> None:
    nouns = ["tiger", "lion", "leopard", "dog", "poodle", "cup", "hammer", "oak", "violin", "piano"]
    animals = ("tiger", "lion", "leopard")
    synsets = [
        wordnet.by_sense_key(f"{noun}%1:05:00::").id if noun in animals else wordnet.senses(noun)[0].id
        for noun in nouns
    ]
    seen = set()
    for seed in range(20):
        draw = draw_known(nouns, synsets, wordnet, 0.5, seed)
        sides = np.stack([draw.known, *draw.unknown.values()])
        assert (sides.sum(axis=0) <= 1).all()
        assert set(draw.classes) == {noun for noun, known in zip(nouns, draw.known, strict=True) if known}
        dog, poodle = nouns.index("dog"), nouns.index("poodle")
        if draw.known[dog] != draw.known[poodle]:
            assert not any(part[dog] or part[poodle] for part in draw.unknown.values())
        tiger, lion = nouns.index("tiger"), nouns.index("lion")  # both are big cats
        if draw.known[tiger] and not draw.known[lion]:
            assert draw.unknown["near"][lion]
        seen.add(tuple(draw.known))
    assert len(seen) > 5
    assert draw_known(nouns, synsets, wordnet, 0.5, 3).classes == draw_known(nouns, synsets, wordnet, 0.5, 3).classes


def test_nouns_of_one_meaning_go_together(wordnet: WordNet) -> None:
    synset = wordnet.senses("sofa")[0].id
    for seed in range(8):
        draw = draw_known(["sofa", "couch", "oak"], [synset, synset, None], wordnet, 0.5, seed)
        assert draw.known[0] == draw.known[1]


def test_negatives_are_the_least_close_and_never_known(rng: np.random.Generator) -> None:
    candidates, known = unit(rng.normal(size=(50, 8))), unit(rng.normal(size=(7, 8)))
    found = closeness(candidates, known, 0.95)
    assert found == pytest.approx(np.quantile(candidates @ known.T, 0.95, axis=1), abs=1e-6)
    allowed = np.arange(50) != int(found.argmin())
    settings = NegativesConfig(share=0.2)
    rows = choose_negatives(candidates, known, allowed, settings, seed=1)
    assert sorted(rows) == sorted(np.flatnonzero(allowed)[np.argsort(found[allowed])[:9]])
    assert rows.tolist() == choose_negatives(candidates, known, allowed, settings, seed=1).tolist()
    assert rows.tolist() != choose_negatives(candidates, known, allowed, settings, seed=2).tolist()
    assert len(choose_negatives(candidates, known, np.zeros(50, bool), settings, seed=1)) == 0


def test_names_and_kinds_of_known_nouns_are_refined_away() -> None:
    above = [("poodle", "dog", "animal"), ("etna", "volcano"), ("cup", "vessel"), ("dog", "animal"), ()]
    kept = no_kinds(above, [False, True, False, False, False], ["dog"])
    assert kept.tolist() == [False, False, True, False, True]


def test_patterns_are_the_same_for_a_seed_and_others_for_another() -> None:
    first, again, other = (
        {name: np.asarray(image) for name, image in islice(patterns(seed), 32)} for seed in (1, 1, 2)
    )
    assert len(first) == 32
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["noise 1"], other["noise 1"])
    assert not np.array_equal(first["noise 1"], first["noise 2"])


# Measures


def test_fpr95_takes_known_images_for_positive() -> None:
    scores = np.concatenate([np.linspace(0.5, 1, 20), [0.1, 0.2, 0.3, 0.45, 0.52, 0.6, 0.75, 0.97]])
    known = np.arange(28) < 20
    assert measure(scores, known, known, np.ones((1, 28)))["fpr95"] == pytest.approx([0.375])
    assert measure(-scores, ~known, ~known, np.ones((1, 28)))["fpr95"] == pytest.approx([0.9])


def test_measures_agree_with_a_library_and_weights_with_copies(rng: np.random.Generator) -> None:
    scores, known = np.round(rng.random(80), 1), rng.random(80) < 0.5
    right = known & (rng.random(80) < 0.7)
    weights = rng.integers(1, 4, size=80)
    found = measure(scores, known, right, np.stack([np.ones(80), weights]))
    assert found["auroc"][0] == pytest.approx(roc_auc_score(known, scores))
    assert found["aupr"][0] == pytest.approx(average_precision_score(known, scores))
    more_scores, more_known, more_right = (np.repeat(values, weights) for values in (scores, known, right))
    copies = measure(more_scores, more_known, more_right, np.ones((1, weights.sum())))
    assert {name: values[1] for name, values in found.items()} == pytest.approx(
        {name: values[0] for name, values in copies.items()}
    )
    assert found["oscr"][0] < found["auroc"][0]


def test_what_is_kept_earns_more_if_the_score_knows() -> None:
    points = np.array([1.0, 1.0, 0.0, 0.5, 0.0])
    ones = np.ones((1, 5))
    shares = np.array([0.4, 1.0])
    assert points_at(points, points, shares, ones)[0] == pytest.approx([1.0, 0.5])
    assert points_at(-points, points, shares, ones)[0] == pytest.approx([0.0, 0.5])
    assert points_at(np.zeros(5), points, shares, ones)[0] == pytest.approx([0.5, 0.5])  # of one score: in equal parts


# Thresholds


def test_a_threshold_keeps_the_share_that_was_asked_for(rng: np.random.Generator) -> None:
    scores = rng.normal(size=2000)
    assert (scores >= fit_threshold(scores, 0.9)).mean() == pytest.approx(0.9, abs=0.001)


def test_a_conformal_threshold_keeps_new_images_as_promised(rng: np.random.Generator) -> None:
    kept = []
    for _ in range(2000):
        scores = rng.normal(size=61)
        kept.append(scores[60] >= fit_threshold(scores[:60], 0.9, conformal=True))
    assert np.mean(kept) >= 0.9 - 3 * np.sqrt(0.09 / 2000)
    assert np.mean(kept) <= 0.9 + 1 / 61 + 3 * np.sqrt(0.09 / 2000)


def test_too_few_known_images_are_refused() -> None:
    with pytest.raises(NounflowError, match="50 known images or more, and there are 49"):
        fit_threshold(np.zeros(49), 0.95)


# Banks and class lists


def test_a_bank_comes_back_as_it_was_and_damage_is_noticed(tmp_path: Path, rng: np.random.Generator) -> None:
    bank = a_bank(rng)
    path = tmp_path / "bank.json"
    write_bank(path, bank.manifest, bank.vectors, bank.patterns)
    found = read_bank(path)
    assert found.vectors == pytest.approx(bank.vectors, abs=1e-3)
    assert found.rows(["Tiger", "mug"]).tolist() == [0, 3]
    with pytest.raises(NounflowError, match="no embedding in the bank of the open set: zebra"):
        found.rows(["zebra"])
    path.with_suffix(".safetensors").write_bytes(b"torn")
    with pytest.raises(DamagedFileError, match="bank of the open set are missing"):
        read_bank(path)
    with pytest.raises(DamagedFileError, match="no-embeddings cannot be read"):
        read_no_model(path.with_suffix(".safetensors"))


def test_embeddings_that_are_not_finite_are_refused() -> None:
    with pytest.raises(NounflowError, match="1 embeddings hold NaN"):
        unit(np.array([[1.0, 0.0], [np.nan, 1.0]]))


def test_class_lists_of_no_use_are_refused() -> None:
    rows = np.eye(3, dtype=np.float32)
    check_classes(["a", "b", "c"], rows)
    for names, message in (([], "is empty"), (["cat"], r"holds one name only \(cat\)")):
        with pytest.raises(NounflowError, match=message):
            check_classes(names, rows[: len(names)])
    with pytest.raises(NounflowError, match="tell two known classes apart: b and c"):
        check_classes(["a", "b", "c"], rows[[0, 1, 1]])


def test_answers_stand_once_beside_background_nouns() -> None:
    rows = candidate_rows(["a", "b", "c", "d"], [["b"], ["d", "a", "D"], []], np.array([0, 2]))
    assert rows.tolist() == [[1, -1, -1, 0, 2], [3, 0, -1, -1, 2], [-1, -1, -1, 0, 2]]
    assert candidate_rows(["a", "b"], [[], ["b"]], np.zeros(0, int)).tolist() == [[0], [1]]


def test_a_gate_s_score_depends_neither_on_other_images_nor_on_chance_repetitions(rng: np.random.Generator) -> None:
    bank = a_bank(rng)
    held = Reference(bank.vectors[:8], 0.05, bank.vectors[8:20], 4, None, bank.vectors[20:28])
    images, background = pictures(bank, [0, 1], rng), np.array([0, 5])
    answers = [["tiger"], ["lion", "cup", "mug", "oak"]]
    both = held.scores(images, tuple(SCORES), candidate_rows(KNOWN, answers, background))
    one = held.scores(images[:1], tuple(SCORES), candidate_rows(KNOWN, answers[:1], background))
    plain = held.scores(images[:1], tuple(SCORES), np.array([[0, 5]]))
    for method, scores in both.items():
        assert np.isfinite(scores).all()
        assert scores[0] == pytest.approx(one[method][0], rel=1e-6)
        assert scores[0] == pytest.approx(plain[method][0], rel=1e-6)


# The comparison


def material(wordnet: WordNet, rng: np.random.Generator, **tests: Any) -> Material:
    """Sixty clear pictures of known nouns, twenty of others, and a run that names the known ones rightly."""
    bank = a_bank(rng)
    known, others = [i % 8 for i in range(60)], [8 + i % 20 for i in range(20)]
    files = tuple(f"{i}.png" for i in range(60))
    seen = {("mine", "d"): (files, pictures(bank, known, rng))}
    seen["strange", "d"] = tuple(f"s{i}.png" for i in range(20)), pictures(bank, others, rng)
    settings = OpenSetConfig.model_validate(
        {"tests": tests or {"t": {"known": "mine", "unknown": {"strange": "far"}}}, "background": 10,
         "negatives": {"share": 0.5, "groups": 4}}
    )  # fmt: skip
    said = Answered(
        "run", "mine", "d", bank.manifest.nouns, files, [[KNOWN[i], "other 3"] for i in known], [0.5] * 60,
        np.arange(60) < 50, np.arange(60) >= 50, (np.arange(60) < 50).astype(float), [["other 1"], ["other 2"]],
        [0.4, 0.4],
    )  # fmt: skip
    labels = {"mine": {f"{i}.png": Labels(gold=KNOWN[noun]) for i, noun in enumerate(known)}}
    return Material(settings, [bank], seen, labels, {}, WordSenses(wordnet), ["tiger"], [said])


def test_the_comparison_tells_known_from_unknown_images_with_and_without_a_list(
    wordnet: WordNet, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(evaluation, "BOOTSTRAP", 60)
    results = compare(material(wordnet, rng))
    listed = {(row.method, row.unknown): row.measures for row in results.rows if not row.run}
    assert {kind for _, kind in listed} == {"strange", "far", "all", "not ImageNet", "farthest"}
    for method in ("msp", "maxlogit", "energy", "mcm", "neglabel", "negrefine"):
        auroc = listed[method, "far"]["auroc"]
        assert 0.9 < auroc.low <= auroc.value <= auroc.high
        assert listed[method, "far"]["oscr"].value == pytest.approx(auroc.value)  # all known ones are called rightly
    of_run = {(row.method, row.unknown): row.measures for row in results.rows if row.run}
    assert "neglabel" not in {method for method, _ in of_run}  # the lexicon has no noun that is not known
    plain = of_run["probability", "wrong"]
    assert plain["auroc"].value == 0.5  # it was always as sure
    assert plain["score_kept"].value == pytest.approx(50 / 60)
    assert plain["score_kept_gain"].value == 0
    assert {one.file for one in results.fooled if not one.run} <= {f"s{i}.png" for i in range(20)} | {
        "noise 1",
        "noise 2",
    }
    unjudged = replace(material(wordnet, np.random.default_rng(0)).answered[0], wrong=np.arange(60) >= 57)
    partly = compare(replace(material(wordnet, np.random.default_rng(0)), answered=[unjudged]))
    assert {row.unknown_images for row in partly.rows if row.unknown == "wrong"} == {3}  # nobody judged seven answers
    assert any("negatives of 48 nouns" in note for note in results.notes)
    assert compare(material(wordnet, np.random.default_rng(0))) == results
    write_results(tmp_path / "open_set.tsv", tmp_path / "open_set.json", results)
    lines = (tmp_path / "open_set.tsv").read_text().splitlines()
    assert len(lines) == len(results.rows) + 1
    assert lines[0].split("\t") == list(COLUMNS)
    assert read_document(OpenSetResults, tmp_path / "open_set.json", "results") == results
    listed_part, of_run_part = open_set(results)
    assert listed_part["headings"] == ["strange (20)", "far (20)", "all (20)", "not ImageNet (20)", "farthest (2)"]
    assert dict(listed_part["rows"])["mcm"][1][0] == f"{100 * listed['mcm', 'far']['auroc'].value:.1f}"
    assert len(listed_part["histograms"]) == 6
    assert dict(of_run_part["rows"])["probability"][0][0] == "50.0"
    assert all(f">{method}<" in listed_part["chart"] for method, _ in listed_part["rows"])
    lacking = [row for row in results.rows if (row.method, row.unknown) != ("mcm", "far")]
    assert open_set(results.model_copy(update={"rows": tuple(lacking)}))[0]["chart"] != listed_part["chart"]
    assert open_set(None) == []


def test_a_test_with_too_few_known_nouns_is_named(wordnet: WordNet, rng: np.random.Generator) -> None:
    few = material(wordnet, rng, small={"known": "mine", "known_share": 0.01})
    labels = {"mine": {file: few.labels["mine"][file] for file in ("0.png", "1.png")}}
    with pytest.raises(NounflowError, match="softmax scores need two") as caught:
        compare(replace(few, labels=labels))
    assert caught.value.where == "open_set.tests.small"
    assert "label images of more nouns in mine" in str(caught.value.fix)


def test_known_and_unknown_sets_that_overlap_are_named(wordnet: WordNet, rng: np.random.Generator) -> None:
    both = material(wordnet, rng)
    labels = {**both.labels, "strange": {"s0.png": Labels(gold="Lion")}}
    with pytest.raises(NounflowError, match="1 nouns of strange are known: Lion"):
        compare(replace(both, labels=labels))
    labels = {**both.labels, "strange": {"s0.png": Labels(gold="tomcat", accepted=("Lion",))}}
    with pytest.raises(NounflowError, match="1 nouns of strange are known: tomcat"):
        compare(replace(both, labels=labels))


def test_images_of_the_known_set_that_no_class_names_take_no_part(
    wordnet: WordNet, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, "BOOTSTRAP", 20)
    half = replace(material(wordnet, rng), classes={"t": KNOWN[:4]})
    results = compare(half)
    assert {row.known_images for row in results.rows if not row.run} == {32}  # of 60
    assert any("28 images take no part: none of the known classes is right" in note for note in results.notes)
    with pytest.raises(NounflowError, match="None of the known classes is right for any image of mine"):
        compare(replace(half, classes={"t": ["other 30", "other 31"]}))
