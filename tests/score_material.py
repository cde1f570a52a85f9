"""Made-up results that are scored, for the tests of scores and of what is written of them."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from rich.console import Console
from synthetic_results import NOUNS, annotations_of, manifest, nouns_table, predictions

from nounflow.schemas.annotations import Annotations, PeopleAgreement
from nounflow.schemas.labels import Labels
from nounflow.schemas.models import PredictorManifest
from nounflow.schemas.predictions import Predictions
from nounflow.scoring.evaluation import ScoredRun
from nounflow.scoring.load import ScoringMaterial, lexicon_entries
from nounflow.scoring.results import Provenance, Scores
from nounflow.scoring.rows import ScoreRow
from nounflow.scoring.scores import score_all
from nounflow.scoring.terminal import terminal_table

ENTRIES = lexicon_entries(nouns_table(plurals={"goose": "geese"}))


def score(
    documents: Sequence[Predictions],
    judged: Sequence[Annotations],
    labels: dict[str, Labels] | None = None,
    manifests: Iterable[PredictorManifest] = (),
    **options: Any,
) -> Scores:
    """Scores of predictions; a run of which no manifest is given has a usual one."""
    given = {one.run: one for one in manifests}
    runs = {
        one.run: ScoredRun(given.get(one.run, manifest(one.run, one.predictor)), "tiny", ENTRIES) for one in documents
    }
    of_sets = {one.image_set: labels or {} for one in documents}
    return score_all(ScoringMaterial(runs, tuple(documents), tuple(judged), of_sets, {}), **options)


def noisy(run: str, share: float, predictor: str = "decoder", n: int = 200) -> Predictions:
    """A run that says "dog" of so large a share of images, and "cat" of the others."""
    rng = np.random.default_rng(len(run))
    return predictions(run, {f"{i}.png": ["dog" if rng.random() < share else "cat"] for i in range(n)}, predictor)


def dogs_are_right(n: int) -> Annotations:
    """Judgements of n images that all show a dog."""
    return annotations_of({f"{i}.png": {"correct_primary": ["dog"], "incorrect": ["cat"]} for i in range(n)})


DOGS = dogs_are_right(200)


class PlainHierarchy:
    """Answers as WordNet's hierarchy does, of a few nouns, whichever WordNet is at hand."""

    def specificity(self, noun: str) -> float:
        return 0.5 if noun in ("dog", "") else 1.0

    def same(self, noun: str, other: str) -> bool:
        return noun == other or {noun, other} == {"cat", "mouse"}

    def nearness_to_label(self, noun: str, labels: Labels) -> float:
        return 1.0 if noun == labels.gold else 0.25

    def overlap(self, noun: str, labels: Labels) -> tuple[float, float]:
        return (1.0, 1.0) if noun == labels.gold else (0.5, 0.25)

    def lexname(self, noun: str, sense: str = "") -> str:
        return "animal"


def varied_material() -> tuple[list[Predictions], list[Annotations], dict[str, Labels]]:
    """Three runs on two image sets, under a judge that was compared with people, one that was not, and nobody.

    Predictions, annotations, labels.
    """
    images = [f"{i}.png" for i in range(40)]
    rng = np.random.default_rng(7)

    def said() -> dict[str, list[str]]:
        return {file: list(rng.permutation(NOUNS)[:6]) for file in images}

    kinds = {"a_b": "decoder", "fused": "fused", "near": "retrieval"}
    documents = [predictions(run, said(), kind, unreadable={"x.png": "cut"}) for run, kind in kinds.items()]
    documents.append(predictions("a_b", {"1.png": ["dog", "cat"], "2.png": ["apple"]}, image_set="bare"))
    lists = {
        file: {"correct_primary": ["dog"], "close_primary": ["cat", "sheep"], "incorrect": ["apple", "teapot"]}
        for file in images
    }
    lists["3.png"] = {"correct_secondary": ["goose"], "close_secondary": ["mouse"]}
    agreement = PeopleAgreement(
        people=("ann", "bob"), pairs=1120, share=0.8, kappa=0.714, kappa_coarse=None, kappa_voting=0.7,
        held_out=False, confusion={},
    )  # fmt: skip
    machine = annotations_of(lists, annotator="machine").model_copy(update={"agreement": agreement})
    every = annotations_of({file: {"correct_primary": NOUNS[:3], "incorrect": NOUNS[3:]} for file in images})
    labels = {file: Labels(gold=NOUNS[i % 3]) for i, file in enumerate(images[:30])}
    return documents, [machine, every], labels


def varied() -> Scores:
    """The scores of `varied_material`."""
    return score(*varied_material(), hierarchy=PlainHierarchy(), templates="0123456789ab")


def made_by_workflow() -> Scores:
    """Scores of three runs with the config that they were made with."""
    config = {"runs": {"a": {"seed": 1}, "bb": {}, "ccc": {}}, "image_sets": {"photos": {}, "more": {}}}
    scores = score([noisy("a", 0.6), noisy("bb", 0.5), noisy("ccc", 0.1, "retrieval")], [DOGS])
    origin = Provenance(nounflow="0.1.0", commit="0123abc", config=config)
    return scores.model_copy(update={"provenance": origin})


# One image of each category, by the first noun; the last image's noun nobody judged.
JUDGED = annotations_of(
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


def rows_of(
    documents: Sequence[Predictions],
    manifests: Iterable[PredictorManifest] = (),
    judged: Sequence[Annotations] = (JUDGED,),
    labels: dict[str, Labels] | None = None,
) -> list[ScoreRow]:
    """Rows of the score table, of what JUDGED judges unless other judgements are given."""
    return list(score(documents, judged, labels, manifests).rows)


def many(right: set[int], n: int = 60) -> dict[str, list[str]]:
    """Answers to n images, "dog" to those given and "cat" to the others."""
    return {f"{i}.png": ["dog" if i in right else "cat"] for i in range(n)}


def pair(ours: set[int], theirs: set[int], **changes: Any) -> dict[str, ScoreRow]:
    """Rows by run of a decoder "a" and retrieval "r" that are right about these of 60 images."""
    documents = [predictions("a", many(ours)), predictions("r", many(theirs), "retrieval")]
    rows = rows_of(documents, [manifest("a"), manifest("r", "retrieval", **changes)], [dogs_are_right(60)])
    return {row.run: row for row in rows}


def printed(rows: Sequence[ScoreRow], width: int = 200) -> str:
    """The score table as a terminal of some width shows it, without spaces at the ends of lines."""
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(terminal_table(rows, width))
    return "\n".join(line.rstrip() for line in console.export_text().splitlines()) + "\n"
