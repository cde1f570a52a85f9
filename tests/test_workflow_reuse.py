"""What a change of images, nouns, shards and settings reruns in the real workflow (of code: tests/test_reruns.py)."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

import polars as pl
import psutil
import pytest
from PIL import Image
from tiny_workflow import MERGED, Project

from nounflow.store.shards import find_manifests, read_shard
from nounflow.store.weights import read_predictor


def test_a_killed_training_job_leaves_its_checkpoint_and_the_next_run_goes_on_from_it(project: Project) -> None:
    """Snakemake deletes what a failed job declares; the checkpoint is not declared."""
    lengthened = {"samples": 30_000, "checkpoint_steps": 5}
    project.configure(lambda config: config["runs"]["tiny"]["training"].update(lengthened))
    results = project.folder / "results/models/tiny"
    before = (results / "weights.safetensors").read_bytes()
    running = project.start("results/models/tiny/manifest.json")
    limit = time.monotonic() + 120
    while not (results / "checkpoint/checkpoint.json").exists() and time.monotonic() < limit:
        assert running.poll() is None, running.communicate()[0]
        time.sleep(0.02)
    trainers = [
        child for child in psutil.Process(running.pid).children(recursive=True)
        if any(part.endswith("train_model.py") for part in child.cmdline()[1:2])
    ]  # fmt: skip
    assert len(trainers) == 1
    trainers[0].kill()
    output = running.communicate(timeout=60)[0]
    assert running.returncode != 0, output
    assert (results / "checkpoint/checkpoint.json").exists()
    assert (results / "weights.safetensors").read_bytes() == before  # put back
    output = project.snakemake("results/models/tiny/manifest.json").output
    assert "going on from a checkpoint after" in output
    assert not (results / "checkpoint").exists()
    assert read_predictor(results / "manifest.json")[0].samples >= 30_000


def test_a_second_run_reuses_nouns_captions_and_embeddings(project: Project) -> None:
    def add(config: dict[str, Any]) -> None:
        config["runs"]["tiny_two"] = {**config["runs"]["tiny"], "seed": 2}

    project.configure(add)
    assert project.would_run() == {"train_decoder": 1, "predict": 1, "annotate": 1, "score": 1, "report": 1}


def test_a_new_image_is_embedded_and_named_and_nothing_is_trained(project: Project) -> None:
    Image.new("RGB", (50, 50), "orange").save(project.folder / "drawn/new.png")
    assert project.would_run() == {"embed_images": 1, "predict": 4, "annotate": 1, "score": 1, "report": 1}


def test_a_deleted_shard_is_the_only_one_embedded_again_and_nothing_follows_from_it(project: Project) -> None:
    target = "results/embeddings/bundled/tiny/m1/1.json"
    shutil.rmtree(project.folder / "results/embeddings/bundled/tiny/m1/1.zarr")
    (project.folder / target).unlink()
    assert project.would_run(target) == {"embed_texts": 1}
    project.snakemake(target)
    assert project.would_run() == {}  # its manifest has the same bytes


def test_of_added_nouns_only_the_new_texts_are_embedded_also_in_another_lexicon(project: Project) -> None:
    before = set(vectors_by_text(project, "m1"))

    def add(config: dict[str, Any]) -> None:
        config["lexicons"]["more"] = {"max_nouns": 84}
        config["runs"]["more"] = {**config["runs"]["tiny"], "lexicon": "more"}

    project.configure(add)
    shards = [f"results/embeddings/bundled/more/m1/{shard}" for shard in range(2)]
    project.snakemake(*(f"{shard}.json" for shard in shards))
    texts = set(pl.read_parquet(project.folder / "results/captions/more/m1.parquet")["text"])
    counts = [json.loads((project.folder / f"{shard}.counts.json").read_text())["flows"][1] for shard in shards]
    assert 0 < len(texts - before) < len(texts) / 2
    assert sum(flow["out"] for flow in counts) == len(texts - before)


def vectors_by_text(project: Project, source: str) -> dict[str, bytes]:
    """Text -> the stored bytes of its vector, over all shards of a source."""
    folder = project.folder / "results"
    texts = iter(pl.read_parquet(folder / f"captions/tiny/{source}.parquet")["text"].to_list())
    shards = [read_shard(path) for path in find_manifests(folder / f"embeddings/bundled/tiny/{source}")]
    shards.sort(key=lambda shard: shard[0].start)
    return {next(texts): row.tobytes() for _manifest, rows in shards for row in rows[:]}


def test_more_texts_in_more_shards_embed_only_the_new_texts_and_change_no_vector(project: Project) -> None:
    before = vectors_by_text(project, "m1")

    def grow(config: dict[str, Any]) -> None:
        config["captions"]["multiset"] = {"texts_per_noun": [10, 2, 2], "shards": [3, 1, 1]}

    project.configure(grow)
    project.snakemake(MERGED)
    after = vectors_by_text(project, "m1")
    new = set(after) - set(before)
    assert 0 < len(new) < len(after)
    assert all(after[text] == before[text] for text in set(after) & set(before))
    folder = project.folder / "results/embeddings/bundled/tiny/m1"
    counts = [json.loads((folder / f"{shard}.counts.json").read_text())["flows"][1] for shard in range(3)]
    assert sum(flow["out"] for flow in counts) == len(new)


def test_snakemake_is_content_from_another_working_folder_and_with_a_path_of_any_signs(
    project: Project, tmp_path: Path
) -> None:
    """As `snakemake --directory` and module users need it: the project's folder is not the working folder."""
    project.folder = project.folder.rename(tmp_path / 'my "own" prójekt isn\'t $HOME')
    elsewhere = tmp_path / "else where"
    elsewhere.mkdir()
    for name in ("results", "drawn", "drawn.tsv"):
        shutil.move(project.folder / name, elsewhere / name)
    output = project.snakemake("--directory", str(elsewhere), "--forcerun", "score").output
    assert "2 of 2 steps" in output or "3 of 3 steps" in output


@pytest.mark.extra
def test_a_config_of_a_thousand_runs_fits_into_a_job(project: Project) -> None:
    runs = {f"tiny_{n}": {"lexicon": "tiny", "embedder": "bundled", "mixture": "m3_captions"} for n in range(1000)}
    project.configure(lambda config: config["runs"].update(runs))
    project.snakemake("results/nouns/tiny.parquet", "--forcerun", "build_nouns")
