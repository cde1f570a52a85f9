"""Two made-up runs on drawn images, scored and reported by the scripts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from PIL import Image, ImageDraw
from synthetic_results import NOUNS, annotations_of, manifest, nouns_table, predictions

from nounflow.counts import Counts
from nounflow.schemas.documents import write_document
from nounflow.schemas.models import Angles
from nounflow.schemas.tables import METRICS, write_table
from nounflow.schemas.tables import NOUNS as NOUNS_SCHEMA

ROOT = Path(__file__).parents[1]
TRICKY = "<b>'tricky' & \"file\".png"  # every character that HTML gives a meaning
IMAGES = {  # file -> what the decoder says, what retrieval says
    "dog one.png": (["dog", "cat", "sheep"], ["dog", "cat", "sheep"]),
    "cat.png": (["cat", "dog", "mouse"], ["mouse", "cat", "dog"]),
    "sheep.png": (["goose", "sheep", "dog"], ["sheep", "goose", "dog"]),
    "teapot.png": (["apple", "teapot", "cat"], ["goose", "teapot", "cat"]),
    TRICKY: (["mouse", "x-ray", "apple"], ["mouse", "x-ray", "apple"]),
}


def draw_image(path: Path, number: int) -> None:
    image = Image.new("RGB", (640, 480), (250, 250, 245))
    draw = ImageDraw.Draw(image)
    draw.ellipse((120, 60, 520, 420), fill=(40 * number, 120, 200 - 30 * number))
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


def judge(file: str) -> dict[str, list[str]]:
    gold = file.split(".")[0].split(" ")[0]
    nouns = [noun for noun in NOUNS if noun != gold]
    if file == TRICKY:
        return {"incorrect": ["x-ray"]}  # the first noun stays unjudged
    close = ["mouse"] if gold == "cat" else []
    return {
        "correct_primary": [gold],
        "close_primary": close,
        "incorrect": [noun for noun in nouns if noun not in close],
    }


def write_results(folder: Path) -> list[str]:
    """Two runs on five drawn images and a broken one, scored; returns the arguments of report.py."""
    write_table(folder / "nouns/tiny.parquet", nouns_table(), NOUNS_SCHEMA)
    (folder / "labels.tsv").write_text("file\tgold\taccepted\ndog one.png\tdog\tpuppy;<i>hound</i>\ncat.png\tcat\t\n")
    for i, file in enumerate(IMAGES):
        draw_image(folder / "images" / file, i)
    for which, (run, predictor) in enumerate((("tiny", "decoder"), ("tiny_retrieval", "retrieval"))):
        write_document(folder / "models" / run / "manifest.json", manifest(run, predictor))
        answers = {file: said[which] for file, said in IMAGES.items()}
        document = predictions(run, answers, predictor, unreadable={"broken.png": "broken: <cut> off"})
        write_document(folder / "predictions" / run / "photos.json", document)
    rows = [
        (samples, split, metric, value / (1 + samples / 2000))
        for samples in range(0, 10001, 1000)
        for split in ("train", "heldout")
        for metric, value in (("loss", 5.0), ("noun_accuracy", 0.6), ("learning_rate", 1e-3))
    ]
    metrics = pl.DataFrame(rows, schema=["samples", "split", "metric", "value"], orient="row")
    write_table(folder / "models/tiny/metrics.parquet", metrics, METRICS)
    angles = Angles(bins_deg=(0, 30, 60, 90), noise=(2, 96, 2), same_noun=(40, 50, 10), different_noun=(0, 20, 80))
    write_document(folder / "models/tiny/angles.json", angles)
    write_document(folder / "annotations/photos/wordnet.json", annotations_of({file: judge(file) for file in IMAGES}))
    counts = Counts("nouns")
    flow = counts.flow("synsets", 100, "synsets")
    flow.drop(92, "not an <object> noun")
    flow.out(8, "nouns")
    counts.write(folder / "nouns/tiny.counts.json")
    shared = [
        *("--predictions", *(str(folder / f"predictions/{run}/photos.json") for run in ("tiny", "tiny_retrieval"))),
        *("--annotations", str(folder / "annotations/photos/wordnet.json")),
        *("--models", *(str(folder / f"models/{run}/manifest.json") for run in ("tiny", "tiny_retrieval"))),
        *("--nouns", str(folder / "nouns/tiny.parquet")),
    ]
    sets = json.dumps({"photos": str(folder / "labels.tsv")})
    scores = str(folder / "scores.json")
    table, score_counts = str(folder / "scores.tsv"), str(folder / "scores.counts.json")
    call("score.py", [*shared, "--labels", sets, "--out", table, "--details", scores, "--counts", score_counts])
    return [
        *("--scores", scores, *shared),
        *("--counts", str(folder / "nouns/tiny.counts.json"), str(folder / "scores.counts.json")),
        *("--image-folders", json.dumps({"photos": str(folder / "images")})),
        *("--labels", json.dumps({"photos": str(folder / "labels.tsv")})),
        *("--out", str(folder / "report.html"), "--report-counts", str(folder / "report.counts.json")),
    ]


def call(script: str, arguments: list[str]) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, str(ROOT / "workflow_scripts" / script), *arguments],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": os.environ.get("HOME", "/tmp")},
    )
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="session")
def report_results(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    folder = tmp_path_factory.mktemp("report")
    arguments = write_results(folder)
    call("report.py", arguments)
    return folder, arguments
