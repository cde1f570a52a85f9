"""Guided classification: class names as nouns of a lexicon, right and wrong answers, the table and the report."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import polars as pl
import pytest
from score_material import ENTRIES, made_by_workflow
from synthetic_results import manifest, nouns_table
from tiny_workflow import Project

from nounflow.classification.class_nouns import class_nouns
from nounflow.classification.measuring import classification
from nounflow.classification.table import read_table, rows, write_table
from nounflow.config.generation import GenerationConfig
from nounflow.errors import NounflowError
from nounflow.report.page import Report, render
from nounflow.schemas.classification import Classification
from nounflow.schemas.documents import read_document
from nounflow.schemas.embedder_checks import CheckSet
from nounflow.scoring.evaluation import ScoredRun
from nounflow.scoring.load import ScoringMaterial

LEXICON = nouns_table(("dog", "goose", "crane", "chime", "missile"), plurals={"goose": "geese"})


def test_class_names_find_nouns_by_form_by_part_and_by_synset() -> None:
    synsets = [["n1"], ["n2"], ["n02012849"], ["n4"], ["n04008634"]]
    lexicon = LEXICON.with_columns(pl.Series("synsets", synsets))
    found = class_nouns(
        {
            "a": "Geese",
            "b": "bell or chime",
            "c": "dog (pet)",
            "n02012849": "a bird that has another name",
            "n04008634": "missile",
            "d": "xylophone",
        },
        lexicon,
    )
    assert found.nouns == {
        "a": ("goose",),
        "b": ("chime",),
        "c": ("dog",),
        "n02012849": ("crane",),
        "n04008634": ("missile",),
    }
    assert found.unmapped == {"d": "xylophone"}
    assert found.guide == ("chime", "crane", "dog", "goose", "missile")


def one(run: str = "a", kind: str = "cifar10", classes: int = 10) -> Classification:
    names = {"dog": "dog", "bird": "goose", "odd": "xylophone"}
    names |= {f"c{i}": f"c{i}" for i in range(classes - len(names))}
    files = {"1.png": "dog", "2.png": "dog", "3.png": "bird", "4.png": "odd", "5.png": "bird"}
    listed = CheckSet(name="mine", kind=kind, folder="mine", classes=names, files=files)
    answers = {
        "1.png": ["dog"],
        "2.png": ["goose", "dog"],
        "3.png": ["dog", "a", "b", "c", "d", "goose"],  # right, but the sixth
        "4.png": ["xylophone"],  # its class has no noun
    }
    return classification(manifest(run), "tiny", listed, class_nouns(names, LEXICON), answers)


def test_unmapped_classes_and_unreadable_images_are_wrong() -> None:
    found = one()
    assert (found.top1.correct, found.top5.correct, found.n, found.unreadable) == (1, 2, 5, 1)
    assert found.top1_mapped is not None
    assert (found.top1_mapped.correct, found.top1_mapped.n) == (1, 4)
    assert found.top1.low < 0.2 < found.top1.high
    assert set(found.unmapped) >= {"odd"}
    assert {part.key: (part.correct, part.n) for part in found.per_class if part.n} == {
        "dog": (1, 2),
        "bird": (0, 2),
        "odd": (0, 1),
    }


def test_published_values_stand_beside_whole_sets_only_and_are_marked(tmp_path: Path) -> None:
    table = rows([one("a"), one("b")])
    assert [row.run for row in table if row.origin == "measured"] == ["a", "b"]
    published = {row.run: row.top1 for row in table if row.origin == "published"}
    assert published["NOVIC SigLIP B/16 FT2"] == pytest.approx(0.9077)
    assert len(rows([one(classes=9)])) == len(rows([one(kind="folder")])) == 1
    write_table(tmp_path / "classification.tsv", table)
    found = read_table(tmp_path / "classification.tsv")
    assert [(row.run, row.origin, row.n, row.unmapped) for row in found] == [
        (row.run, row.origin, row.n, row.unmapped) for row in table
    ]
    assert found[0].top1_high == pytest.approx(table[0].top1_high, rel=1e-5)
    (tmp_path / "classification.tsv").write_text("a\tb\n1\t2\n")
    with pytest.raises(NounflowError, match="table of classifications"):
        read_table(tmp_path / "classification.tsv")


def test_the_report_shows_the_table_where_there_is_one() -> None:
    scores = made_by_workflow()
    empty = ScoringMaterial({"a": ScoredRun(manifest("a"), "tiny", ENTRIES)}, (), (), {}, {"tiny": LEXICON})
    assert "h-classified" not in render(Report(scores, empty))
    page = render(Report(scores, empty, classification=rows([one()])))
    assert "20.0 [3.6, 62.4]" in page
    assert "NOVIC SigLIP B/16 FT2" in page.replace("<wbr>", "")


def test_a_run_classifies_a_folder_of_class_folders(finished: Project, repository: Path, tmp_path: Path) -> None:
    results = finished.folder / "results"
    images = next(path for path in (results / "image_embeddings").glob("*/*.json") if ".counts" not in path.name)
    files = json.loads(images.read_text())["files"]
    model = results / "models/tiny_retrieval/manifest.json"
    nouns = json.loads(model.read_text())["nouns"]
    classes = {"yes": nouns[0], "also": nouns[1], "no": "no such thing"}
    keys = {file: ("yes", "also", "no")[i % 3] for i, file in enumerate(files)}
    written = CheckSet(name="mine", kind="folder", folder="x", classes=classes, files=keys)
    (tmp_path / "mine.json").write_text(written.model_dump_json())
    lexicon = next((results / "nouns").glob("*.parquet"))
    runpy.run_path(str(repository / "workflow_scripts/classify.py"))["main"](
        predictor=model, nouns=lexicon, check_set=tmp_path / "mine.json", images=images, generation=GenerationConfig(),
        device="cpu", threads=1, out=tmp_path / "o.json", counts=tmp_path / "c.json",
    )  # fmt: skip
    found = read_document(Classification, tmp_path / "o.json", "classification file")
    assert found.unmapped == {"no": "no such thing"}
    assert found.candidates == 2
    said = sum(key != "no" for key in keys.values())
    assert found.top5.correct == said  # of two candidates, the right one is among the first five
    assert found.top1.correct <= said
