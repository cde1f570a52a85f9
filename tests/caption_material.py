"""A lexicon of thirty nouns, the shipped templates and word lists, and what several tests of captions do with them."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import polars as pl
import pytest
from noun_material import UNGROUPED

from nounflow.captions.forms import CaptionLexicon
from nounflow.captions.multisets import Multiset
from nounflow.captions.scenes import SceneBook
from nounflow.captions.table import CaptionDraft
from nounflow.captions.templates import Templates
from nounflow.captions.writing import write_draft
from nounflow.counts import Counts
from nounflow.schemas.tables import CAPTIONS, LEXICON, read_lexicon, read_table, write_table

# noun, kind, parents, gloss, weight, singulars, plurals (a plural has a third of its noun's use, unless it is alone)
ENTRIES = [
    ("robin", "animal", "thrush<bird<animal", "small Old World songbird with a reddish breast", 5, "robin", "robins"),
    ("owl", "animal", "bird of prey<bird<animal", "nocturnal bird of prey with hawk-like beak", 6, "owl", "owls"),
    ("mouse", "animal", "rodent<mammal<animal", "any of numerous small rodents typically resembling diminutive rats "
     "having pointed snouts and small ears", 7, "mouse", "mice"),
    ("sheep", "animal", "bovid<ruminant<mammal", "woolly usually horned ruminant mammal", 6, "sheep", "sheep"),
    ("dog", "animal", "canine<carnivore<mammal", "a domesticated animal that barks", 9, "dog", "dogs"),
    ("carp", "animal", "cypriniform fish<fish", "any of various freshwater fish of the family Cyprinidae", 4, "carp",
     "carps"),
    ("bee", "animal", "insect<arthropod", "any of numerous hairy-bodied insects", 6, "bee", "bees"),
    ("oak", "plant", "tree<woody plant<plant", "a deciduous tree of the genus Quercus; has acorns", 6, "oak", "oaks"),
    ("rose", "plant", "shrub<woody plant<plant", "any of many shrubs of the genus Rosa that bear roses", 7, "rose",
     "roses"),
    ("herb", "plant", "vascular plant<plant", "a plant lacking a permanent woody stem", 5, "herb", "herbs"),
    ("fern", "plant", "vascular plant<plant", "", 4, "fern", "ferns"),
    ("apple", "food", "edible fruit<produce<food", "fruit with red or yellow or green skin", 8, "apple", "apples"),
    ("rice", "food", "grain<foodstuff<food", "grains used as food either unpolished or more often polished", 6, "rice",
     ""),
    ("tea", "food", "beverage<food", "a beverage made by steeping tea leaves in water", 7, "tea", ""),
    ("ice cream", "food", "frozen dessert<dessert<food", "frozen dessert containing cream and sugar", 6, "ice cream",
     "ice creams"),
    ("hammer", "artifact", "hand tool<tool", "a hand tool with a heavy rigid head and a handle", 6, "hammer",
     "hammers"),
    ("X-ray", "artifact", "photograph<picture", "a radiogram made by exposing photographic film", 5, "X-ray",
     "X-rays"),
    ("umbrella", "artifact", "canopy<shelter", "a lightweight handheld collapsible canopy", 6, "umbrella",
     "umbrellas"),
    ("hourglass", "artifact", "timepiece<instrument", "a sandglass that runs for sixty minutes", 4, "hourglass",
     "hourglasses"),
    ("scissors", "artifact", "edge tool<tool", "an edge tool having two crossed pivoting blades", 6, "", "scissors"),
    ("sofa", "artifact", "seat<furniture", "an upholstered seat for more than one person", 6, "sofa", "sofas"),
    ("couch", "artifact", "seat<furniture", "an upholstered seat for more than one person", 5, "couch", "couches"),
    ("car", "artifact", "motor vehicle<vehicle", "a motor vehicle with four wheels", 9, "car", "cars"),
    ("boat", "artifact", "vessel<craft<vehicle", "a small vessel for travel on water", 7, "boat", "boats"),
    ("ax", "artifact", "edge tool<tool", "an edge tool with a heavy bladed head", 5, "ax;axe", "axes"),
    ("axis", "artifact", "line<artifact", "a straight line through a body", 3, "axis", "axes"),
    ("hotel", "artifact", "building<structure", "a building where travelers can pay for lodging", 7, "hotel", "hotels"),
    ("unicycle", "artifact", "wheeled vehicle<vehicle", "a vehicle with a single wheel", 3, "unicycle", "unicycles"),
    ("heirloom", "artifact", "property<artifact", "", 3, "heirloom", "heirlooms"),
    ("shirt", "artifact", "garment<clothing", "a garment worn on the upper half of the body", 7, "shirt", "shirts"),
]  # fmt: skip
VOWELS = ("owl", "herb", "oak", "apple", "ice cream", "umbrella", "ax", "axe", "axis", "X-ray", "hourglass", "heirloom")
MASS = ("rice", "tea", "ice cream")
SYNONYMS = {"couch": "sofa"}  # they share a synset


def forms_of(singulars: str, plurals: str) -> tuple[list[str], list[float], list[str], list[float]]:
    """Forms and shares that sum to 1."""
    ones, many = [[form for form in text.split(";") if form] for text in (singulars, plurals)]
    share = {(True, True): (2 / 3, 1 / 3)}.get((bool(ones), bool(many)), (1.0, 1.0))
    return ones, [share[0] / len(ones) for _ in ones], many, [share[1] / len(many) for _ in many]


def lexicon_of(entries: list[tuple[str, str, str, str, int, str, str]]) -> pl.DataFrame:
    rows = []
    for i, (noun, kind, parents, gloss, weight, singulars, plurals) in enumerate(entries):
        ones, one_shares, many, many_shares = forms_of(singulars, plurals)
        rows.append(
            {
                "id": i,
                "key": f"key-{noun}",
                "noun": noun,
                "canon": noun.lower().replace("-", " "),
                "kind": kind,
                "synsets": [f"n-{SYNONYMS.get(noun, noun)}"],
                "sense_keys": [f"{noun}%1:00:00::"],
                "gloss": gloss,
                "hypernyms": parents.split("<"),
                "hypernym_synsets": [f"n-{parent}" for parent in parents.split("<")],
                "singulars": ones,
                "singular_shares": one_shares,
                "plurals": many,
                "plural_shares": many_shares,
                "countability": "mass" if noun in MASS else "count" if ones else "plural",
                "frequency": 1e-5,
                "weight": float(weight),
            }
        )
    return pl.DataFrame(rows).with_columns(**UNGROUPED)


@pytest.fixture(scope="module")
def nouns(tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    path = tmp_path_factory.mktemp("lexicon") / "nouns.parquet"
    write_table(path, lexicon_of(ENTRIES), LEXICON)
    return read_lexicon(path)


@pytest.fixture(scope="module")
def template_files(repository: Path) -> list[Path]:
    return [repository / f"resources/templates/{number}.tsv" for number in ("singular", "plural")]


@pytest.fixture(scope="module")
def templates(template_files: list[Path]) -> Templates:
    return Templates.read(*template_files)


@pytest.fixture(scope="module")
def book(repository: Path) -> SceneBook:
    return SceneBook(repository / "resources/captions")


def multiset(nouns: pl.DataFrame, templates: Templates, m: int, texts_per_noun: int = 12, seed: int = 1) -> Multiset:
    return Multiset(CaptionLexicon.of(nouns), templates, m, texts_per_noun, seed)


def written(draft: CaptionDraft) -> tuple[pl.DataFrame, Counts]:
    """The table that a draft becomes, and its counts."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "captions.parquet"
        counts = write_draft(path, draft)
        return read_table(path, CAPTIONS, "captions"), counts


def whole_words(text: str, form: str) -> list[str]:
    return re.findall(rf"(?<!\w){re.escape(form)}(?!\w)", text, re.IGNORECASE)


def mass(table: pl.DataFrame) -> dict[str, float]:
    """Target id -> expected sampling weight."""
    total: Counter[str] = Counter()
    for row in table.iter_rows(named=True):
        for target, share in zip(row["targets"], row["target_weights"], strict=True):
            total[target] += share * row["weight"]
    return dict(total)


def run(repository: Path, script: str, *options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(repository / "workflow_scripts" / script), *map(str, options)]
    return subprocess.run(command, capture_output=True, text=True, cwd=repository, check=False)
