"""Scores: points, coverage, bounds, intervals, differences, and the table they are written to."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from synthetic_results import NOUNS, annotations, embedder, manifest, nouns_table, predictions

from nounflow.errors import DamagedFileError, MismatchError, NounflowError
from nounflow.schemas.documents import Labels, write_document
from nounflow.schemas.tables import NOUNS as NOUNS_SCHEMA
from nounflow.schemas.tables import lexicon_digest, write_table
from nounflow.scoring.evaluation import ImageSet, ScoredLexicon, ScoredRun
from nounflow.scoring.intervals import mean_interval
from nounflow.scoring.load import lexicon_entries, load_material
from nounflow.scoring.points import judgements
from nounflow.scoring.rows import COLUMNS, read_scores, write_scores
from nounflow.scoring.scores import score_all
from nounflow.scoring.terminal import terminal_table
from nounflow.scoring.wording import comparison
from nounflow.streams import stream

ROOT = Path(__file__).parents[1]
ENTRIES = lexicon_entries(nouns_table(plurals={"goose": "geese"}))
LEXICON = ScoredLexicon("tiny", lexicon_digest(NOUNS), frozenset(ENTRIES), ENTRIES)

# One image of each category, by the first noun; the last image's noun nobody judged.
JUDGED = annotations(
    {
        "1.png": {"correct_primary": ["dog"], "incorrect": ["cat"]},
        "2.png": {"correct_secondary": ["cat"], "correct_primary": ["dog"]},
        "3.png": {"close_primary": ["sheep"], "correct_primary": ["goose"]},
        "4.png": {"close_secondary": ["mouse"]},
        "5.png": {"incorrect": ["teapot", "apple"]},
        "6.png": {},
    }
)
ANSWERS = {
    "1.png": ["dog", "cat"],
    "2.png": ["cat", "dog"],
    "3.png": ["sheep", "goose"],
    "4.png": ["mouse", "dog"],
    "5.png": ["teapot", "apple"],
    "6.png": ["apple", "dog"],
}


def runs(*manifests):
    return {m.run: ScoredRun(m, LEXICON) for m in manifests}


def score(documents, manifests, judged=(JUDGED,), labels=None):
    sets = {document.image_set: ImageSet(document.image_set, labels or {}) for document in documents}
    return list(score_all(documents, judged, runs(*manifests), sets).rows)


def test_points_agree_with_a_table_worked_by_hand():
    (row,) = score([predictions("a", ANSWERS, unreadable={"7.png": "the file is empty"})], [manifest("a")])
    assert row.n == 7
    assert row.unreadable == 1
    assert row.prediction_score == pytest.approx((1 + 0.8 + 0.5 + 0.4 + 0 + 0 + 0) / 7)
    assert row.primary_score == pytest.approx((1 + 0.5) / 7)
    assert row.top1_correct == pytest.approx(2 / 7)
    assert row.top5_correct == pytest.approx(3 / 7)  # the third image's second noun is right
    assert row.distinct_nouns == 6
    assert row.coverage == pytest.approx(5 / 6)  # of the six images that have an answer
    assert row.score_if_unjudged_right == pytest.approx((1 + 0.8 + 0.5 + 0.4 + 1) / 7)
    assert (row.run, row.predictor, row.lexicon, row.embedder) == ("a", "decoder", "tiny", "bundled:minilm-conse")


def test_an_unreadable_image_lowers_the_score_as_a_wrong_answer_does():
    good = {"1.png": ["dog"]}
    (whole,) = score([predictions("a", good)], [manifest("a")])
    (short,) = score([predictions("a", good, unreadable={"broken.png": "broken"})], [manifest("a")])
    assert (whole.prediction_score, short.prediction_score) == (1.0, 0.5)
    assert short.coverage == 1.0
    assert short.score_if_unjudged_right == 0.5


def test_a_sixth_noun_does_not_count_for_top5():
    nouns = ["cat", "apple", "mouse", "sheep", "goose", "dog"]
    (row,) = score([predictions("a", {"1.png": nouns})], [manifest("a")])
    assert row.top5_correct == 0.0


def test_a_noun_in_two_categories_is_an_error_that_names_image_and_noun():
    with pytest.raises(NounflowError, match=r"'dog'.*correct_primary and incorrect.*'1\.png'"):
        judgements(annotations({"1.png": {"correct_primary": ["dog"], "incorrect": ["dog"]}}))


def test_an_unjudged_image_set_has_empty_scores_and_no_coverage():
    for judged in ([], [annotations({"1.png": {}})]):
        (row,) = score([predictions("a", ANSWERS)], [manifest("a")], judged)
        assert (row.coverage, row.n, row.distinct_nouns) == (0.0, 6, 6)
        assert row.prediction_score is row.primary_score is row.top1_correct is None
        assert row.prediction_score_low is row.score_if_unjudged_right is None


def test_the_ceiling_counts_gold_and_accepted_nouns_in_any_form_and_spelling():
    labels = {
        "1.png": Labels(gold="Geese"),  # a plural form
        "2.png": Labels(gold="wombat", accepted=("X Ray",)),  # another spelling of an accepted noun
        "3.png": Labels(gold="wombat", secondary=("dog",)),  # a side element does not count
        "not_predicted.png": Labels(gold="wombat"),
    }
    (row,) = score([predictions("a", ANSWERS)], [manifest("a")], labels=labels)
    assert row.ceiling == pytest.approx(2 / 3)
    (row,) = score([predictions("a", ANSWERS)], [manifest("a")])
    assert row.ceiling is None


@pytest.mark.parametrize("seed", range(3))
def test_the_interval_agrees_with_scipy(seed):
    rng = np.random.default_rng(seed)
    values = rng.choice([0.0, 0.4, 0.5, 0.8, 1.0], size=300, p=[0.6, 0.05, 0.1, 0.05, 0.2])
    oracle = stats.bootstrap((values,), np.mean, n_resamples=9999, method="BCa", rng=rng).confidence_interval
    assert mean_interval(values, stream(seed, "test")) == pytest.approx((oracle.low, oracle.high), abs=0.004)


def test_the_paired_interval_agrees_with_scipy():
    rng = np.random.default_rng(5)
    ours = rng.choice([0.0, 0.5, 1.0], size=250)
    theirs = np.where(rng.random(250) < 0.8, ours, rng.choice([0.0, 0.5, 1.0], size=250))
    oracle = stats.bootstrap(
        (ours, theirs), lambda a, b: np.mean(a) - np.mean(b), paired=True, vectorized=False, n_resamples=4999, rng=rng
    ).confidence_interval
    assert mean_interval(ours - theirs, stream(1, "test")) == pytest.approx((oracle.low, oracle.high), abs=0.006)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from([0.0, 0.4, 0.5, 0.8, 1.0]), min_size=1, max_size=60))
def test_an_interval_holds_the_mean_and_stays_within_the_values(values):
    low, high = mean_interval(values, stream(1, "property"), draws=2000)
    assert min(values) - 1e-9 <= low <= high <= max(values) + 1e-9
    assert low - 1e-9 <= np.mean(values) <= high + 1e-9


def many(right: set[int], n: int = 60):
    return {f"{i}.png": ["dog" if i in right else "cat"] for i in range(n)}


def judge_many(n: int = 60):
    return annotations({f"{i}.png": {"correct_primary": ["dog"], "incorrect": ["cat"]} for i in range(n)})


def pair(ours: set[int], theirs: set[int], **changes):
    documents = [predictions("a", many(ours)), predictions("r", many(theirs), "retrieval")]
    rows = score(documents, [manifest("a"), manifest("r", "retrieval", **changes)], [judge_many()])
    return {row.run: row for row in rows}


def test_the_difference_to_retrieval_has_the_sign_of_the_better_run():
    better = pair(set(range(40)), set(range(20)))["a"]
    assert better.difference_to_retrieval == pytest.approx(20 / 60)
    assert 0 < better.difference_low < better.difference_to_retrieval < better.difference_high
    assert better.retrieval_run == "r"
    assert "'a' (decoder) is better than 'r' (retrieval) (+33.3 points" in comparison(better)
    worse = pair(set(range(20)), set(range(40)))["a"]
    assert worse.difference_to_retrieval == pytest.approx(-20 / 60)
    assert "is worse than" in comparison(worse)


def test_pairing_makes_the_interval_narrower_than_two_apart():
    row = pair(set(range(30)), set(range(28)))["a"]
    apart = row.prediction_score_high - row.prediction_score_low
    assert row.difference_high - row.difference_low < apart / 2


def test_identical_answers_differ_by_exactly_nothing():
    row = pair({1, 2, 3}, {1, 2, 3})["a"]
    assert (row.difference_to_retrieval, row.difference_low, row.difference_high) == (0.0, 0.0, 0.0)
    assert "no difference shown" in comparison(row)


def test_without_a_retrieval_run_of_the_same_lexicon_and_embedder_there_is_no_difference():
    rows = pair({1}, {2}, embedder=embedder("another"))
    assert rows["a"].difference_to_retrieval is None
    assert comparison(rows["a"]) is None
    rows = pair({1}, {2}, lexicon="another")
    assert rows["a"].difference_to_retrieval is None
    rows = pair({1}, {2})
    assert rows["r"].difference_to_retrieval is None
    assert rows["r"].retrieval_run == ""


def test_of_several_retrieval_runs_the_first_by_name_is_the_baseline():
    documents = [
        predictions(run, many({1}), kind) for run, kind in (("a", "decoder"), ("q", "retrieval"), ("p", "retrieval"))
    ]
    manifests = [manifest("a"), manifest("q", "retrieval"), manifest("p", "retrieval")]
    rows = {row.run: row for row in score(documents, manifests, [judge_many()])}
    assert rows["a"].retrieval_run == "p"


def test_runs_on_different_images_are_not_compared():
    documents = [predictions("a", many({1})), predictions("r", many({1}, n=59), "retrieval")]
    with pytest.raises(MismatchError, match=r"different images of 'photos'.*'59\.png'"):
        score(documents, [manifest("a"), manifest("r", "retrieval")], [judge_many()])


def test_rows_are_sorted_and_independent_of_the_order_of_files():
    documents = [predictions(run, ANSWERS, image_set=image_set) for run in "ba" for image_set in ("y", "x")]
    judged = [
        annotations({"1.png": {"correct_primary": ["dog"]}}, image_set=image_set, annotator=annotator)
        for annotator in ("w", "v")
        for image_set in ("x", "y")
    ]
    manifests = [manifest("a"), manifest("b")]
    rows = score(documents, manifests, judged)
    keys = [(row.run, row.image_set, row.annotator) for row in rows]
    assert keys == sorted(keys)
    assert len(keys) == 8
    assert score(documents[::-1], manifests, judged[::-1]) == rows


def test_the_table_is_read_back_as_it_was_written(tmp_path):
    rows = list(pair({1, 2, 3}, {3, 4}).values())
    write_scores(tmp_path / "scores.tsv", rows)
    lines = (tmp_path / "scores.tsv").read_text().splitlines()
    assert lines[0].split("\t") == list(COLUMNS)
    assert lines[1].split("\t")[COLUMNS.index("prediction_score")] == "0.05"
    for read, row in zip(read_scores(tmp_path / "scores.tsv"), rows, strict=True):
        for column in COLUMNS:
            value = getattr(row, column)
            assert getattr(read, column) == (pytest.approx(value, rel=1e-5) if isinstance(value, float) else value)


def test_a_table_of_another_kind_is_refused(tmp_path):
    (tmp_path / "scores.tsv").write_text("run\tscore\na\t1\n")
    with pytest.raises(DamagedFileError, match="lacks the columns image_set, annotator"):
        read_scores(tmp_path / "scores.tsv")


def test_the_terminal_table_shows_every_row_in_percent():
    from rich.console import Console

    console = Console(width=200, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(terminal_table(list(pair(set(range(30)), set(range(15))).values())))
    text = console.export_text()
    assert "50.0 [" in text
    assert "25.0 [" in text


def test_a_narrow_terminal_loses_columns_and_no_figure():
    from rich.console import Console

    rows = list(pair(set(range(30)), set(range(15))).values())
    for width in (120, 200):
        console = Console(width=width, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
        console.print(terminal_table(rows, width))
        text = console.export_text()
        assert "…" not in text
        assert len([line for line in text.splitlines() if "wordnet" in line]) == len(rows)
        assert ("ceiling" in text) == (width == 200)


def test_the_terminal_table_shows_where_a_score_lies_that_is_not_wholly_judged():
    from rich.console import Console

    (row,) = score([predictions("a", ANSWERS)], [manifest("a")])
    console = Console(width=200, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(terminal_table([row]))
    text = console.export_text()
    assert re.search(rf"\] +{100 * row.score_if_unjudged_right:.1f} ", text)
    assert f" {100 * row.top1_correct:.1f}–{100 * row.top1_correct_if_unjudged_right:.1f} " in text


def write_results(folder: Path) -> list[str]:
    """Two runs on one image set, as files; returns the arguments of score.py."""
    write_table(folder / "nouns" / "tiny.parquet", nouns_table(), NOUNS_SCHEMA)
    (folder / "labels.tsv").write_text("file\tgold\n1.png\tdog\n2.png\twombat\n")
    for run, predictor in (("a", "decoder"), ("r", "retrieval")):
        write_document(folder / "models" / run / "manifest.json", manifest(run, predictor))
        document = predictions(run, ANSWERS, predictor, unreadable={"7.png": "the file is empty"})
        write_document(folder / "predictions" / run / "photos.json", document)
    write_document(folder / "annotations" / "photos" / "wordnet.json", JUDGED)
    return [
        *("--predictions", str(folder / "predictions/a/photos.json"), str(folder / "predictions/r/photos.json")),
        *("--annotations", str(folder / "annotations/photos/wordnet.json")),
        *("--models", str(folder / "models/a/manifest.json"), str(folder / "models/r/manifest.json")),
        *("--nouns", str(folder / "nouns/tiny.parquet")),
        *("--labels", json.dumps({"photos": str(folder / "labels.tsv")})),
        *("--out", str(folder / "scores.tsv"), "--details", str(folder / "scores.json")),
        *("--counts", str(folder / "scores.counts.json")),
    ]


def run_script(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "workflow_scripts" / "score.py"), *arguments],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
    )


def test_the_script_writes_table_and_tallying_counts_and_says_the_comparison(tmp_path):
    arguments = write_results(tmp_path)
    done = run_script(arguments)
    assert done.returncode == 0, done.stderr
    assert "no difference shown between 'a' (decoder) and 'r' (retrieval)" in done.stdout
    rows = read_scores(tmp_path / "scores.tsv")
    assert [row.run for row in rows] == ["a", "r"]
    assert rows[0].ceiling == 0.5
    flows = json.loads((tmp_path / "scores.counts.json").read_text())["flows"]
    images = next(flow for flow in flows if flow["name"].startswith("a on photos"))
    assert (images["in"], images["out"], sum(images["dropped"].values())) == (7, 5, 2)
    first = (tmp_path / "scores.tsv").read_bytes()
    run_script(arguments)
    assert (tmp_path / "scores.tsv").read_bytes() == first


def test_the_script_refuses_a_lexicon_of_another_build_and_keeps_the_old_table(tmp_path):
    arguments = write_results(tmp_path)
    (tmp_path / "scores.tsv").write_text("earlier")
    write_table(tmp_path / "nouns" / "tiny.parquet", nouns_table(NOUNS[:-1]), NOUNS_SCHEMA)
    done = run_script(arguments)
    assert done.returncode == 1
    assert "lexicon that is none of those given" in done.stderr
    assert "Traceback" not in done.stderr
    assert (tmp_path / "scores.tsv").read_text() == "earlier"


def test_material_that_does_not_belong_together_is_refused(tmp_path):
    write_results(tmp_path)
    files = {
        "predictions": [tmp_path / "predictions/a/photos.json"],
        "annotations": [],
        "models": [tmp_path / "models/a/manifest.json"],
        "nouns": [tmp_path / "nouns/tiny.parquet"],
        "labels": {"photos": None},
    }
    assert load_material(**files).image_sets["photos"].labels == {}
    with pytest.raises(MismatchError, match="image set 'photos'"):
        load_material(**files | {"labels": {}})
    with pytest.raises(MismatchError, match="no manifest of the run 'a'"):
        load_material(**files | {"models": [tmp_path / "models/r/manifest.json"]})
    with pytest.raises(NounflowError, match="Two files are both of a and photos"):
        load_material(**files | {"predictions": files["predictions"] * 2})
    cut = predictions("a", {"1.png": []})
    write_document(tmp_path / "cut.json", cut)
    with pytest.raises(MismatchError, match=r"'1\.png' has 0 nouns"):
        load_material(**files | {"predictions": [tmp_path / "cut.json"]})
