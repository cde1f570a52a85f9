"""The real workflow through the real Snakemake: end to end, what a change reruns, what bad input says."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import psutil
import pytest
from caption_server import CaptionServer
from judge_server import JudgeServer
from PIL import Image
from tiny_workflow import results_of

from nounflow.annotation.log import DecisionLog
from nounflow.config.decoder import DecoderConfig
from nounflow.config.experiment import read_config
from nounflow.config.generation import GenerationConfig
from nounflow.decoder.model import ObjectDecoder
from nounflow.decoder.vocabulary import TargetVocabulary
from nounflow.embedders.minilm_tokenizer import load_tokenizer as load_word_pieces
from nounflow.predictors.decoder import DecoderPredictor
from nounflow.schemas.decisions import DecisionDraft
from nounflow.store.shards import find_manifests, open_shard, read_manifest, sealed
from nounflow.store.weights import read_predictor
from nounflow.workflow.plan import lexicon_sizes, texts_of


def scores(project):
    with open(project.folder / "results/scores.tsv") as handle:
        return {row["run"]: row for row in csv.DictReader(handle, delimiter="\t")}


# --- end to end ---


def test_the_main_job_leaves_scores_a_report_and_every_stage_on_disk(finished):
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
    page = (finished.folder / "results/report.html").read_text()
    assert "broken.jpg" in page
    for path in (
        "nouns/tiny.parquet", "captions/tiny/m3.parquet", "captions/tiny/offline.parquet",
        "embeddings/bundled/tiny/m1/1.json", "training_sets/bundled/tiny/m3_captions/manifest.json",
        "models/tiny/weights.safetensors", "predictions/tiny/drawn.json", "annotations/drawn/wordnet.json",
    ):  # fmt: skip
        assert (finished.folder / "results" / path).is_file(), path


def test_reproduce_makes_a_row_again(project):
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


def test_unreadable_images_are_named_with_their_reason_and_the_others_are_answered(finished):
    document = json.loads((finished.folder / "results/predictions/tiny/drawn.json").read_text())
    assert document["samples"] == ["a.png", "b.jpg", "moving.gif", "sub dir/it's c.png"]
    assert set(document["unreadable"]) == {"broken.jpg", "empty.png"}
    assert document["unreadable"]["empty.png"] == "the file is empty"


def test_all_counts_tally_and_follow_each_other(finished):
    results = finished.folder / "results"
    records = {path: json.loads(path.read_text()) for path in results.rglob("*.counts.json")}
    assert len(records) >= 15
    for path, record in records.items():
        for flow in record["flows"]:
            expected = flow["in"] - sum(flow["dropped"].values()) + sum(flow["added"].values())
            assert flow["out"] == expected, f"{path}: {flow}"


def test_a_second_call_does_nothing_and_says_so_at_once(project):
    start = time.monotonic()
    output = project.snakemake().output
    assert "Nothing to be done" in output
    assert time.monotonic() - start < 10


@pytest.mark.extra
def test_a_second_run_from_nothing_gives_the_same_bytes(project):
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


def test_unguided_decoding_spells_out_what_is_no_noun(finished):
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


def test_captions_of_a_language_model_become_part_of_the_training_set(project, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with CaptionServer() as server:
        model = {
            "base_url": server.url,
            "model": "tiny",
            "budget_usd": 1,
            "prices": {"tiny": {"input": 1, "output": 2}},
        }

        def ask(config):
            config["captions"]["llm"] = {"server": model, "captions_per_noun": 4, "attempts_per_noun": 1}
            config["mixtures"] = {"m3_captions": {"llm": 2}}

        project.configure(ask)
        project.snakemake(MERGED)
        asked = server.asked.total()
        (project.folder / "results/captions/tiny/llm.parquet").unlink()
        project.snakemake("results/captions/tiny/llm.parquet")
        assert server.asked.total() == asked > 80
    manifest = json.loads((project.folder / MERGED).read_text())
    assert "llm" in manifest["mixture"]
    assert (project.folder / "ledgers/captions.sqlite").is_file()


def test_the_plan_names_the_texts_that_were_then_asked_for(finished):
    config = read_config([finished.folder / "config/config.yaml", finished.folder / "tiny.yaml"])
    nouns, _notes = lexicon_sizes(config, finished.folder / "results/nouns")
    for source in ("m1", "m2", "m3"):
        counts = json.loads((finished.folder / f"results/captions/tiny/{source}.counts.json").read_text())
        assert texts_of(config, source, nouns["tiny"]) == counts["flows"][0]["in"]


def test_a_raised_budget_asks_nothing_again_and_another_model_does(project, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    target = "results/captions/tiny/llm.parquet"
    with CaptionServer() as server:
        model = {
            "base_url": server.url,
            "model": "tiny",
            "budget_usd": 1,
            "prices": {"tiny": {"input": 1, "output": 2}},
        }
        asked = {"server": model, "captions_per_noun": 4, "attempts_per_noun": 1}
        project.configure(lambda config: config["captions"].update(llm=asked))
        project.snakemake(target)

    def change(**changes):
        project.configure(lambda config: config["captions"]["llm"]["server"].update(changes))

    change(budget_usd=7, concurrency=3, base_url="http://127.0.0.1:9/v1", timeout_s=9, first_wait_s=0.1,
           prices={"tiny": {"input": 2, "output": 2}, "small": {"input": 1, "output": 1}})  # fmt: skip
    project.configure(lambda config: config["captions"]["llm"].update(ledger="ledgers/other.sqlite", shards=2))
    assert project.would_run(target) == {}
    change(model="small")
    assert project.would_run(target) == {"ask_captions": 1}


def test_a_language_model_judges_once_and_again_only_for_what_changes_its_answers(project, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    target = "results/annotations/drawn/eyes.json"
    estimate = [sys.executable, "-c", "from nounflow.cli import main; main()", "annotations", "estimate"]
    estimate += ["--annotator", "eyes", "--image-set", "drawn", "--configfile", "tiny.yaml"]

    def calls():
        done = subprocess.run(estimate, cwd=project.folder, env={**os.environ, "PYTHONPATH": str(project.folder)},
                              capture_output=True, text=True, check=False)  # fmt: skip
        assert done.returncode == 0, done.stderr
        return int(re.search(r"([\d,]+) calls to make", done.stdout)[1].replace(",", ""))

    with JudgeServer({}) as server:
        model = {
            "base_url": server.url,
            "model": "tiny",
            "budget_usd": 1,
            "prices": {"tiny": {"input": 1, "output": 2}},
        }
        judges = {"wordnet": {"kind": "wordnet"}, "eyes": {"kind": "openai", "server": model, "max_side": 64}}
        project.configure(lambda config: config.update(annotators=judges))
        expected = calls()
        project.snakemake(target)
        assert server.votes_asked.total() == expected > 10
        assert calls() == 0
    judged = json.loads((project.folder / target).read_text())
    assert set(judged["images"]) == {"a.png", "b.jpg", "moving.gif", "sub dir/it's c.png"}
    assert "tiny, voting rule" in judged["rule"]
    assert (project.folder / "results/annotations/drawn/eyes.votes.tsv").read_text().count("Something ") > 10
    with DecisionLog.read(project.folder / "ledgers/judgements.sqlite") as log:
        first = log.records()[0]

    def change(**changes):
        project.configure(lambda config: config["annotators"]["eyes"]["server"].update(changes))

    change(budget_usd=7, concurrency=3, base_url="http://127.0.0.1:9/v1")
    assert project.would_run(target) == {}
    with DecisionLog.open(project.folder / "ledgers/decisions.sqlite") as log:  # what people say comes in unasked
        draft = {"id": "a" * 32, "annotator": "ann", "tool": "test", "image": first.image, "noun": first.noun}
        log.append([DecisionDraft(kind="decision", category="incorrect", **draft)]).result()
    assert project.would_run(target) == {"ask_judgements": 1}
    project.snakemake(target)
    assert json.loads((project.folder / target).read_text())["agreement"]["pairs"] == 1
    change(max_output_tokens=900)
    assert project.would_run(target) == {"ask_judgements": 1}
    change(model="small", prices={"small": {"input": 1, "output": 1}})
    assert project.would_run(target) == {"ask_judgements": 1}


# --- what a change reruns (tests/test_reruns.py: of code and settings) ---


def test_a_killed_training_job_leaves_its_checkpoint_and_the_next_run_goes_on_from_it(project):
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


def test_a_second_run_reuses_nouns_captions_and_embeddings(project):
    def add(config):
        config["runs"]["tiny_two"] = {**config["runs"]["tiny"], "seed": 2}

    project.configure(add)
    assert project.would_run() == {"train_decoder": 1, "predict": 1, "annotate": 1, "score": 1, "report": 1}


def test_a_new_image_is_embedded_and_named_and_nothing_is_trained(project):
    Image.new("RGB", (50, 50), "orange").save(project.folder / "drawn/new.png")
    assert project.would_run() == {"embed_images": 1, "predict": 4, "annotate": 1, "score": 1, "report": 1}


def test_a_deleted_shard_is_the_only_one_embedded_again_and_nothing_follows_from_it(project):
    target = "results/embeddings/bundled/tiny/m1/1.json"
    shutil.rmtree(project.folder / "results/embeddings/bundled/tiny/m1/1.zarr")
    (project.folder / target).unlink()
    assert project.would_run(target) == {"embed_texts": 1}
    project.snakemake(target)
    assert project.would_run() == {}  # its manifest has the same bytes


def test_of_added_nouns_only_the_new_texts_are_embedded_also_in_another_lexicon(project):
    before = set(vectors_by_text(project, "m1"))

    def add(config):
        config["lexicons"]["more"] = {"max_nouns": 84}
        config["runs"]["more"] = {**config["runs"]["tiny"], "lexicon": "more"}

    project.configure(add)
    shards = [f"results/embeddings/bundled/more/m1/{shard}" for shard in range(2)]
    project.snakemake(*(f"{shard}.json" for shard in shards))
    texts = set(pl.read_parquet(project.folder / "results/captions/more/m1.parquet")["text"])
    counts = [json.loads((project.folder / f"{shard}.counts.json").read_text())["flows"][1] for shard in shards]
    assert 0 < len(texts - before) < len(texts) / 2
    assert sum(flow["out"] for flow in counts) == len(texts - before)


def vectors_by_text(project, source):
    """Text -> the stored bytes of its vector, over all shards of a source."""
    folder = project.folder / "results"
    texts = iter(pl.read_parquet(folder / f"captions/tiny/{source}.parquet")["text"].to_list())
    shards = [open_shard(path) for path in find_manifests(folder / f"embeddings/bundled/tiny/{source}")]
    shards.sort(key=lambda shard: shard[0].start)
    return {next(texts): row.tobytes() for _manifest, rows in shards for row in rows}


def test_more_texts_in_more_shards_embed_only_the_new_texts_and_change_no_vector(project):
    before = vectors_by_text(project, "m1")

    def grow(config):
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


def test_snakemake_is_content_from_another_working_folder_and_with_a_path_of_any_signs(project, tmp_path):
    """As `snakemake --directory` and module users need it: the project's folder is not the working folder."""
    project.folder = project.folder.rename(tmp_path / 'my "own" prójekt isn\'t $HOME')
    elsewhere = tmp_path / "else where"
    elsewhere.mkdir()
    for name in ("results", "drawn", "drawn.tsv"):
        shutil.move(project.folder / name, elsewhere / name)
    output = project.snakemake("--directory", str(elsewhere), "--forcerun", "score").output
    assert "2 of 2 steps" in output or "3 of 3 steps" in output


def test_a_config_of_a_thousand_runs_fits_into_a_job(project):
    runs = {f"tiny_{n}": {"lexicon": "tiny", "embedder": "bundled", "mixture": "m3_captions"} for n in range(1000)}
    project.configure(lambda config: config["runs"].update(runs))
    project.snakemake("results/nouns/tiny.parquet", "--forcerun", "build_nouns")


# --- bad input: one clear message, status not 0, earlier results untouched ---


MERGED = "results/training_sets/bundled/tiny/m3_captions/manifest.json"


def failure(project, *options):
    before = results_of(project)
    done = project.snakemake(*options, check=False)
    assert done.returncode != 0
    assert "Traceback" not in done.output
    after = results_of(project)
    assert [str(name) for name in before if after.get(name) != before[name]] == []
    assert set(after) == set(before)
    return done.output


def test_an_unknown_config_key_is_named_with_what_is_allowed(project):
    project.configure(lambda config: config["runs"]["tiny"]["training"].update(learnin_rate=1))
    output = failure(project)
    assert "runs.tiny.training.learnin_rate: unknown key (did you mean learning_rate?)" in output


def test_a_missing_image_folder_is_named(project):
    shutil.rmtree(project.folder / "drawn")
    assert "The image folder does not exist" in failure(project)


def test_a_folder_without_images_is_named(project):
    shutil.rmtree(project.folder / "drawn")
    (project.folder / "drawn").mkdir()
    (project.folder / "drawn/readme.txt").write_text("no pictures")
    assert "The folder holds no images" in failure(project)


def test_a_missing_label_file_is_named(project):
    (project.folder / "drawn.tsv").unlink()
    assert "drawn.tsv" in failure(project)


def test_a_lexicon_filter_that_leaves_nothing_says_so(project):
    project.configure(lambda config: config["lexicons"]["tiny"].update(min_weight=1e6, listed=False, supplement=False))
    output = failure(project)
    assert "The lexicon tiny is empty" in output
    assert "min_weight (it dropped" in output


def test_after_a_setting_that_failed_the_old_one_needs_no_work_and_the_failed_one_fails_again(project):
    def fail(config):
        config["lexicons"]["tiny"].update(min_weight=1e6, listed=False, supplement=False)

    project.configure(fail)
    failure(project)
    assert "build_nouns" in project.would_run()
    project.configure(lambda config: config["lexicons"].update(tiny={"max_nouns": 80}))
    assert project.would_run() == {}


def test_a_damaged_shard_is_refused_by_name(project):
    chunk = project.folder / "results/embeddings/bundled/tiny/m2/0.zarr/vectors/c/0/0"
    payload = bytearray(chunk.read_bytes())
    payload[10] ^= 1
    chunk.write_bytes(payload)
    output = failure(project, "results/models/tiny/manifest.json", "--forcerun", "train_decoder")
    assert "A shard's bytes are not those that were written" in output
    assert "m2/0.zarr" in output


def test_an_embedder_that_does_not_match_its_cache_is_refused_with_both_sides(project):
    shard = project.folder / "results/embeddings/bundled/tiny/m2/0.json"
    manifest = read_manifest(shard)
    other = manifest.embedder.model_copy(update={"digest": "0" * 64, "precision": "another precision"})
    shard.write_text(sealed(manifest.model_copy(update={"embedder": other})).model_dump_json())
    output = failure(project, MERGED, "--forcerun", "merge_caches", "--rerun-triggers", "params")
    assert "another embedder" in output
    assert "another precision" in output


def test_a_full_disk_is_one_message_and_keeps_what_was_there(project):
    """A real full disk: a tmpfs of a few blocks in a mount namespace of its own."""
    small = project.folder / "small"
    small.mkdir()
    command = (
        f"mount -t tmpfs -o size=64k none {small} && exec {sys.executable} workflow_scripts/compose_captions.py"
        " --nouns results/nouns/tiny.parquet --singular-templates resources/templates/singular.tsv"
        " --plural-templates resources/templates/plural.tsv --source m1 --seed 1"
        """ --settings '{"texts_per_noun": 400}'"""
        f" --out {small}/m1.parquet --counts {small}/c.json; ls -A {small}"
    )
    probe = subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "none", str(small)], capture_output=True)
    if probe.returncode:
        pytest.skip("no user namespaces here, so no small disk can be mounted")
    done = subprocess.run(
        ["unshare", "-rm", "bash", "-c", f"({command.split('; ls')[0]}); status=$?; ls -A {small}; exit $status"],
        cwd=project.folder,
        env={**os.environ, "PYTHONPATH": str(project.folder)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "No space left on the disk" in done.stderr
    assert "Traceback" not in done.stderr
    assert "m1.parquet" not in done.stdout.splitlines()
