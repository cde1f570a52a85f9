"""The real workflow through the real Snakemake, end to end."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from tiny_workflow import Project

from nounflow.config.decoder import DecoderConfig
from nounflow.config.generation import GenerationConfig
from nounflow.decoder.model import ObjectDecoder
from nounflow.decoder.vocabulary import TargetVocabulary
from nounflow.embedders.minilm_tokenizer import load_tokenizer as load_word_pieces
from nounflow.predictors.decoder import DecoderPredictor
from nounflow.store.weights import read_predictor


def scores(project: Project) -> dict[str, dict[str, str]]:
    with open(project.folder / "results/scores.tsv") as handle:
        return {row["run"]: row for row in csv.DictReader(handle, delimiter="\t")}


def test_the_main_job_leaves_scores_a_report_and_every_stage_on_disk(finished: Project) -> None:
    rows = scores(finished)
    assert set(rows) == {"tiny", "tiny_head", "tiny_retrieval", "tiny_fused"}
    for row in rows.values():
        assert int(row["n"]) == 6
        assert int(row["unreadable"]) == 2
        assert (
            float(row["prediction_score_low"]) <= float(row["prediction_score"]) <= float(row["prediction_score_high"])
        )
    assert rows["tiny_retrieval"]["difference_to_retrieval"] == ""
    assert rows["tiny"]["difference_to_retrieval"] != ""
    page = (finished.folder / "results/report.html").read_text().replace("<wbr>", "")
    assert "broken.jpg" in page
    for path in (
        "nouns/tiny.parquet", "captions/tiny/m3.parquet", "captions/tiny/offline.parquet",
        "embeddings/bundled/tiny/m1/1.json", "training_sets/bundled/tiny/m3_captions/manifest.json",
        "models/tiny/weights.safetensors", "predictions/tiny/drawn.json", "annotations/drawn/wordnet.json",
    ):  # fmt: skip
        assert (finished.folder / "results" / path).is_file(), path


def test_reproduce_makes_a_row_again(project: Project) -> None:
    before = scores(project)["tiny_head"]
    environment = {**os.environ, "PYTHONPATH": str(project.folder), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", "from nounflow.cli import main; main()", "reproduce", "tiny_head"]
    script = subprocess.run(command, cwd=project.folder, env=environment, capture_output=True, text=True, check=True)
    assert "tiny_head/drawn/wordnet" in script.stdout
    environment["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    (project.folder / "results/scores.tsv").unlink()
    done = subprocess.run(
        ["bash", "-euc", script.stdout], cwd=project.folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-4000:]
    after = scores(project)
    assert set(after) == {"tiny_head", "tiny_retrieval"}  # the row, and the run that it is held against
    assert after["tiny_head"] == before


def test_unreadable_images_are_named_with_their_reason_and_the_others_are_answered(finished: Project) -> None:
    document = json.loads((finished.folder / "results/predictions/tiny/drawn.json").read_text())
    assert document["samples"] == ["a.png", "b.jpg", "moving.gif", "sub dir/it's c.png"]
    assert set(document["unreadable"]) == {"broken.jpg", "empty.png"}
    assert document["unreadable"]["empty.png"] == "the file is empty"


def test_all_counts_tally_and_follow_each_other(finished: Project) -> None:
    results = finished.folder / "results"
    records = {path: json.loads(path.read_text()) for path in results.rglob("*.counts.json")}
    assert len(records) >= 15
    for path, record in records.items():
        for flow in record["flows"]:
            expected = flow["in"] - sum(flow["dropped"].values()) + sum(flow["added"].values())
            assert flow["out"] == expected, f"{path}: {flow}"


def test_a_second_call_does_nothing_and_says_so_at_once(project: Project) -> None:
    start = time.monotonic()
    output = project.snakemake().output
    assert "Nothing to be done" in output
    assert time.monotonic() - start < 10


@pytest.mark.extra
def test_a_second_run_from_nothing_gives_the_same_bytes(project: Project) -> None:
    kept = {}
    for pattern in ("nouns/*.parquet", "captions/**/*.parquet", "embeddings/**/*.json", "training_sets/**/*",
                    "models/*/weights.safetensors", "models/*/metrics.parquet",
                    "models/*/rule.json"):  # fmt: skip
        for path in (project.folder / "results").glob(pattern):
            if path.is_file():
                kept[path] = path.read_bytes()
    assert len(kept) >= 15
    for name in ("nouns", "captions", "embeddings", "training_sets", "models"):
        shutil.rmtree(project.folder / "results" / name)
    project.snakemake("results/models/tiny/manifest.json", "results/models/tiny_head/manifest.json",
                      "results/models/tiny_fused/manifest.json")  # fmt: skip
    different = [str(path) for path, old in kept.items() if path.read_bytes() != old]
    assert not different


def test_unguided_decoding_spells_out_what_is_no_noun(finished: Project) -> None:
    names = ("fire truck", "tennis ball")
    vocabulary = TargetVocabulary.build(names, load_word_pieces("").target_tokens(names))
    manifest, _tensors = read_predictor(finished.folder / "results/models/tiny/manifest.json")
    manifest = manifest.model_copy(update={"nouns": names, "tokens": vocabulary.as_dict()})
    shape = DecoderConfig.model_validate(manifest.settings["decoder"])
    untrained = ObjectDecoder(manifest.embedder.dim, vocabulary.size, vocabulary.max_tokens, shape).state_dict()
    predictor = DecoderPredictor(manifest, untrained, "cpu", GenerationConfig(guided="none", beam_width=10))
    answers = predictor.answer(np.eye(1, manifest.embedder.dim, dtype=np.float32), top_k=20)
    assert {"fire", "ball", "tennis fire"} & set(answers.texts[0])
    assert len(answers.texts[0]) == 20
    assert all(answers.texts[0])
