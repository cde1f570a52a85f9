"""Scores that others published, to stand beside ours: from tables 3 and 7 of the NOVIC paper, not measured here."""

import csv
from dataclasses import dataclass
from importlib import resources

MARK = "published, not measured here"


@dataclass(frozen=True)
class PublishedRow:
    """Best of three training runs on an image set that people judged; scores are fractions of 1, without intervals."""

    image_set: str
    model: str
    nouns: int  # that the model could say
    distinct_nouns: int  # that it did say
    primary_score: float
    prediction_score: float
    overall_score: float


def published_rows() -> list[PublishedRow]:
    """All of them, in the papers' order."""
    text = (resources.files("nounflow.scoring") / "published_scores.tsv").read_text(encoding="utf-8")
    return [
        PublishedRow(
            image_set=row["image_set"],
            model=row["model"],
            nouns=int(row["nouns"]),
            distinct_nouns=int(row["distinct_nouns"]),
            **{name: float(row[name]) / 100 for name in ("primary_score", "prediction_score", "overall_score")},
        )
        for row in csv.DictReader(text.splitlines(), delimiter="\t")
    ]
