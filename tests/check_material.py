"""A lexicon that is hard on the checks of captions, and captions of it."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from noun_material import UNGROUPED

from nounflow.captions.checks import CaptionChecks
from nounflow.captions.table import Row, frame_of
from nounflow.config.captions import ChecksConfig
from nounflow.schemas.tables import LEXICON, read_lexicon, write_table

# noun, singulars, plurals, parents, gloss, weight
ENTRIES = [
    ("dog", "dog", "dogs", "canine<animal", "a domesticated animal that barks", 9),
    ("hot dog", "hot dog", "hot dogs", "sandwich<food", "a sausage in a roll", 5),
    ("owl", "owl", "owls", "bird<animal", "nocturnal bird of prey", 6),
    ("bird", "bird", "birds", "animal", "an animal with feathers", 8),
    ("sheep", "sheep", "sheep", "animal", "woolly animal", 6),
    ("scissors", "", "scissors", "tool", "a tool with two blades", 6),
    ("table", "table", "tables", "furniture", "a piece of furniture", 8),
    ("kitchen", "kitchen", "kitchens", "room", "a room for cooking", 7),
    ("X-ray", "X-ray", "X-rays", "photograph", "a radiogram", 5),
    ("St. Bernard", "St. Bernard", "St. Bernards", "canine<animal", "a large dog", 3),
    ("PC", "PC", "PCs", "computer", "a small computer", 5),
    ("sofa", "sofa", "sofas", "seat", "an upholstered seat", 6),
    ("couch", "couch", "couches", "seat", "an upholstered seat", 5),
    ("ax", "ax;axe", "axes", "tool", "an edge tool", 5),
    ("axis", "axis", "axes", "line", "a straight line", 3),
    ("green bean", "green bean", "green beans", "vegetable", "a bean", 5),
    ("bean sprout", "bean sprout", "bean sprouts", "vegetable", "a sprout", 4),
    ("watch", "watch", "watches", "timepiece", "a small clock", 6),
    ("kimono", "kimono", "kimonos", "robe", "a loose robe", 4),
]
SYNONYMS = {"couch": "sofa"}  # they share a synset
IDS = {entry[0]: i for i, entry in enumerate(ENTRIES)}


@pytest.fixture(scope="module")
def check_nouns(tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    rows = []
    for i, (noun, ones, many, parents, gloss, weight) in enumerate(ENTRIES):
        singulars, plurals = ([form for form in text.split(";") if form] for text in (ones, many))
        split = 0.75 if singulars and plurals else 1.0
        rows.append(
            {
                "id": i, "key": f"key-{noun}", "noun": noun,
                "canon": noun.lower().replace("-", " ").replace(".", ""), "kind": "artifact",
                "synsets": [f"n-{SYNONYMS.get(noun, noun)}"], "sense_keys": [f"{noun}%1"], "gloss": gloss,
                "hypernyms": parents.split("<"), "hypernym_synsets": [f"n-{name}" for name in parents.split("<")],
                "singulars": singulars, "singular_shares": [split / len(singulars) for _ in singulars],
                "plurals": plurals,
                "plural_shares": [(1 - split if singulars else 1.0) / len(plurals) for _ in plurals],
                "countability": "count", "frequency": 1e-5, "weight": float(weight),
            }
        )  # fmt: skip
    path = tmp_path_factory.mktemp("lexicon") / "nouns.parquet"
    write_table(path, pl.DataFrame(rows).with_columns(**UNGROUPED), LEXICON)
    return read_lexicon(path)


@pytest.fixture(scope="module")
def checks(check_nouns: pl.DataFrame) -> CaptionChecks:
    return CaptionChecks(check_nouns, ChecksConfig())


def table_of(*captions: tuple[Any, ...]) -> pl.DataFrame:
    """(text, noun or nouns, template) -> a table of schema CAPTIONS."""
    rows: list[Row] = []
    for text, named, *template in captions:
        targets = [IDS[noun] for noun in ([named] if isinstance(named, str) else named)]
        rows.append((text, targets, 1.0, template[0] if template else "t"))
    return frame_of(rows)


MIXED = [
    ("A dog sleeps on a sofa at home.", "dog"), ("The dog sleeps on the sofa at home.", "dog"), ("Dog.", "dog"),
    ("Sure, here is a dog on the road.", "dog"), ("An owl in a tree at night.", "owl"),
    ("No bird is here at all.", "owl"),
]  # fmt: skip
