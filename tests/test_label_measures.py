"""Measures of an answer against the label alone, worked out by hand."""

from __future__ import annotations

import typing

import numpy as np
import pytest
from score_material import DOGS, noisy, printed, score
from synthetic_results import annotations_of, predictions

from nounflow.config.experiment import FurtherMeasure
from nounflow.errors import NounflowError
from nounflow.schemas.labels import Labels
from nounflow.scoring.hierarchy import Hierarchy
from nounflow.scoring.measures import BY_NAME, MEASURES
from nounflow.scoring.tables import score_table
from nounflow.wordnet import Synset, WordNet

ABOVE = {"thing": "", "animal": "thing", "dog": "animal", "puppy": "dog", "cat": "animal", "cup": "thing"}
SYNSETS = {
    f"n{i:08d}": Synset(f"n{i:08d}", "animal", (word,), (f"{word}%1:05:00::",), (), (), "")
    for i, word in enumerate(ABOVE)
}
IDS = {one.lemmas[0]: number for number, one in SYNSETS.items()}
TREE = WordNet(
    {
        IDS[word]: Synset(IDS[word], "animal", (word,), SYNSETS[IDS[word]].sense_keys, (IDS[up],) if up else (), (), "")
        for word, up in ABOVE.items()
    },
    {word: (number,) for word, number in IDS.items()},
    {},
    {},
)


@pytest.mark.parametrize(
    ("noun", "label", "expected"),
    [
        ("dog", "dog", (1.0, 1.0)),
        ("animal", "puppy", (2 / 2, 2 / 4)),  # too general: all of its chain is right, half of the label's is said
        ("puppy", "animal", (2 / 4, 2 / 2)),  # too specific
        ("cat", "puppy", (2 / 3, 2 / 4)),  # animal and thing are shared
        ("cup", "dog", (1 / 2, 1 / 3)),
        ("unknown", "dog", (0.0, 0.0)),
        ("Unknown", "unknown", (1.0, 1.0)),  # the label itself, though WordNet lacks it
    ],
)
def test_precision_and_recall_count_shared_ancestors(noun: str, label: str, expected: tuple[float, float]) -> None:
    assert Hierarchy(TREE, []).overlap(noun, Labels(gold=label)) == pytest.approx(expected)


def test_of_the_label_and_what_is_accepted_the_nearer_counts() -> None:
    assert Hierarchy(TREE, []).overlap("puppy", Labels(gold="cup", accepted=("dog",))) == pytest.approx((3 / 4, 1.0))


SAID = {
    "1.png": ["mountain bike", "bike"],  # holds the label "bike"
    "2.png": ["bike"],
    "3.png": ["dog", "puppy"],
    "4.png": ["dog"],
    "5.png": ["dog"],
}
LABELS = {f"{i}.png": Labels(gold=gold) for i, gold in enumerate(("bike", "bike", "puppy", "puppy", "cat"), 1)}
VECTORS = {
    "bike": [1, 0, 0],
    "mountain bike": [0.8, 0.6, 0],
    "dog": [0, 0.6, 0.8],
    "puppy": [0, 0, 1],
    "cat": [0, 1, 0],
}


def row(encode: bool = True) -> typing.Any:
    def vectors(texts: list[str]) -> np.ndarray:
        return np.array([VECTORS[text] for text in texts], dtype=np.float32)

    judged = annotations_of({"1.png": {"correct_primary": ["mountain bike"]}, "2.png": {"incorrect": ["bike"]}})
    judged = judged.model_copy(update={"rule": "openai-1, a model"})
    made = predictions("a", SAID, unreadable={"6.png": "cut"})
    labels = {**LABELS, "6.png": Labels(gold="cat")}
    return score([made], [judged], labels, encode=vectors if encode else None).rows[0]


def test_each_measure_is_what_it_comes_to_by_hand() -> None:
    found = row()
    assert found.text_inclusion == pytest.approx(2 / 6)
    assert found.sentence_similarity == pytest.approx((0.8 + 1 + 0.8 + 0.8 + 0.6 + 0) / 6)
    assert found.concept_similarity == pytest.approx((1 + 1 + 1 + 0.8 + 0.6 + 0) / 6)
    # Matched: dog with puppy (2 images), and bike or mountain bike with bike (1): the other noun finds no class left.
    assert found.cluster_accuracy == pytest.approx(3 / 6)
    assert found.judge_inclusion == pytest.approx(1 / 6)
    for name in ("text_inclusion", "cluster_accuracy", "sentence_similarity"):
        low, high = (getattr(found, column) for column in BY_NAME[name].columns[1:3])
        assert low <= getattr(found, name) <= high


def test_what_is_not_asked_for_or_cannot_be_had_is_empty() -> None:
    found = score([noisy("a", 0.5)], [DOGS]).rows[0]
    assert found.text_inclusion is found.cluster_accuracy is found.judge_inclusion is None
    assert found.hierarchical_precision is found.hierarchical_recall is None
    assert row(encode=False).sentence_similarity is None


def test_tables_show_further_measures_on_request() -> None:
    rows = [row()]
    assert "cluster accuracy" not in score_table(rows).headings
    table = score_table(rows, ("cluster_accuracy", "text inclusion"))
    assert dict(zip(table.headings, table.cells[0], strict=False))["cluster accuracy"].startswith("50.0 [")
    with pytest.raises(NounflowError, match="no measure called 'hX'"):
        score_table(rows, ("hX",))
    assert "cluster" not in printed(rows)


def test_the_config_knows_every_measure_that_the_report_leaves_out() -> None:
    assert set(typing.get_args(FurtherMeasure)) == {one.name for one in MEASURES if "report" not in one.places}
