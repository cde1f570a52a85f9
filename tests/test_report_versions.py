"""The report of scores that another version wrote: it leaves out what they lack, and passes over what they add."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from score_material import ENTRIES, varied, varied_material
from synthetic_results import manifest, nouns_table

from nounflow.report.page import Report, render
from nounflow.scoring.evaluation import ScoredRun
from nounflow.scoring.load import ScoringMaterial
from nounflow.scoring.results import Scores
from nounflow.scoring.rows import COLUMNS


@pytest.fixture(scope="module")
def material() -> ScoringMaterial:
    documents, judged, labels = varied_material()
    return ScoringMaterial(
        runs={one.run: ScoredRun(manifest(one.run, one.predictor), "tiny", ENTRIES) for one in documents},
        predictions=tuple(documents),
        annotations=tuple(judged),
        labels={"bare": {}, "photos": labels},
        tables={"tiny": nouns_table()},
    )


@pytest.fixture(scope="module")
def document() -> str:
    return varied().model_dump_json()


FREE = sorted(set(COLUMNS) - {"run", "image_set", "annotator", "n"})


@settings(max_examples=15, deadline=None)
@given(dropped=st.sets(st.sampled_from(FREE)))
@example(dropped=set(FREE))
def test_scores_with_fewer_columns_make_a_report(material: ScoringMaterial, document: str, dropped: set[str]) -> None:
    scores = json.loads(document)
    for row in scores["rows"]:
        for column in dropped:
            del row[column]
    html = render(Report(scores=Scores.model_validate(scores), material=material))
    assert html.count('<table class="scores">') == 3  # under two judges, and the image set that nobody judged


def test_scores_with_further_columns_and_details_make_the_same_report(material: ScoringMaterial, document: str) -> None:
    scores = json.loads(document)
    for part in (*scores["rows"], *scores["details"], *scores["comparisons"], scores):
        part["new"] = ["a", 1]
    same = render(Report(scores=Scores.model_validate_json(document), material=material))
    assert render(Report(scores=Scores.model_validate(scores), material=material)) == same
