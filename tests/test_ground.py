"""Files, counts, streams, words, config and fingerprints: what every stage stands on."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nounflow.atomic import atomic_file, atomic_folder
from nounflow.commandline import reported_errors
from nounflow.config.experiment import json_schema, load_config
from nounflow.config.generation import GenerationConfig
from nounflow.config.reference import key_tables
from nounflow.config.runs.run import TrainedRun
from nounflow.counts import Counts
from nounflow.errors import NounflowError
from nounflow.files import read_json, sha256_text, write_json
from nounflow.streams import stream, unit_hash
from nounflow.text import canon, join_words, with_article

# --- files ---


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"old": 1})
    with pytest.raises(RuntimeError), atomic_file(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert read_json(path, "file") == {"old": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"]


def test_a_failed_folder_leaves_the_old_folder_and_no_litter(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    with atomic_folder(folder) as temporary:
        (temporary / "x").write_text("old")
    with pytest.raises(RuntimeError), atomic_folder(folder) as temporary:
        (temporary / "x").write_text("new")
        raise RuntimeError
    assert (folder / "x").read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["store"]


def test_a_full_disk_is_one_message_that_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    with pytest.raises(NounflowError, match="No space left") as caught, atomic_file(path):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert str(path) in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_outside_an_atomic_write_has_no_traceback_either(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught, reported_errors():
        raise OSError(errno.ENOSPC, "No space left on device", "results/x")
    assert caught.value.code == 1
    assert "No space left" in capsys.readouterr().err


def test_a_users_mistake_is_one_message_and_status_one(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught, reported_errors():
        raise NounflowError("Something is off", where="there", fix="do this")
    assert caught.value.code == 1
    assert capsys.readouterr().err == "error: Something is off\n  where: there\n  fix:   do this\n"


def test_a_missing_json_file_is_named_by_its_role(tmp_path: Path) -> None:
    with pytest.raises(NounflowError, match="There is no shard manifest"):
        read_json(tmp_path / "none.json", "shard manifest")


def test_digests_of_texts_see_where_one_ends() -> None:
    assert sha256_text("ab", "c") != sha256_text("a", "bc")


# --- counts ---


def test_counts_that_tally_are_recorded(tmp_path: Path) -> None:
    counts = Counts("stage")
    flow = counts.flow("things", 10, "things")
    flow.drop(3, "too small")
    flow.add(1, "made")
    flow.out(8)
    counts.write(tmp_path / "c.json")
    record = json.loads((tmp_path / "c.json").read_text())
    assert record["flows"][0]["dropped"] == {"too small": 3}
    assert record["flows"][0]["out"] == 8


def test_counts_that_do_not_tally_are_an_error() -> None:
    flow = Counts("stage").flow("things", 10, "things")
    flow.drop(3, "too small")
    with pytest.raises(NounflowError, match="do not tally"):
        flow.out(8)


def test_a_flow_that_was_never_closed_is_an_error() -> None:
    counts = Counts("stage")
    counts.flow("things", 10, "things")
    with pytest.raises(NounflowError, match="do not tally"):
        counts.as_dict()


# --- streams ---


def test_a_stream_depends_on_its_names_alone() -> None:
    first = stream(1, "m2", 7).random(5)
    stream(1, "m2", 6).random(100)
    assert np.array_equal(stream(1, "m2", 7).random(5), first)
    assert not np.array_equal(stream(1, "m2", 8).random(5), first)
    assert not np.array_equal(stream(2, "m2", 7).random(5), first)


@given(st.text())
def test_the_hash_of_a_text_is_a_fixed_number_below_one(text: str) -> None:
    assert 0 <= unit_hash(1, "heldout", text) < 1
    assert unit_hash(1, "heldout", text) == unit_hash(1, "heldout", text)


# --- words ---


@pytest.mark.parametrize(
    ("phrase", "expected"),
    [
        ("owl", "an owl"), ("heir", "an heir"), ("hour", "an hour"), ("honest man", "an honest man"),
        ("uninhabited island", "an uninhabited island"), ("x-ray", "an x-ray"), ("u-boat", "a u-boat"),
        ("N95 mask", "an N95 mask"), ("U2", "a U2"),
        ("LCD", "an LCD"), ("LED", "an LED"), ("UFO", "a UFO"), ("unicorn", "a unicorn"), ("ukulele", "a ukulele"),
        ("umbrella", "an umbrella"), ("one-armed bandit", "a one-armed bandit"), ("ewe", "a ewe"),
        ("eucalyptus", "a eucalyptus"), ("urn", "an urn"), ("honeybee", "a honeybee"), ("SUV", "an SUV"),
    ],
)  # fmt: skip
def test_the_article_follows_the_ear(phrase: str, expected: str) -> None:
    assert with_article(phrase) == expected


@pytest.mark.parametrize(
    ("words", "expected"), [(["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c"), ([], "")]
)
def test_words_are_joined_as_in_a_sentence(words: list[str], expected: str) -> None:
    assert join_words(words) == expected


@given(st.text())
def test_the_normal_spelling_is_its_own_normal_spelling(text: str) -> None:
    assert canon(canon(text)) == canon(text)


def test_spellings_of_one_word_share_a_normal_spelling() -> None:
    assert canon("St. Bernard") == canon("st bernard") == "st bernard"
    assert canon("x-ray") == canon("X ray") == "x ray"
    assert canon("lady's slipper") == "ladys slipper"


# --- config ---


def minimal(**changes: Any) -> dict[str, Any]:
    config = {
        "lexicons": {"small": {}},
        "embedders": {"bundled": {"spec": "bundled:minilm-conse"}},
        "mixtures": {"m1": {"multiset": [1]}},
        "runs": {"a": {"lexicon": "small", "embedder": "bundled", "mixture": "m1"}},
        "image_sets": {"mine": {"folder": "photos"}},
    }
    return {**config, **changes}


def run(**changes: Any) -> dict[str, Any]:
    return {"a": {"lexicon": "small", "embedder": "bundled", "mixture": "m1", **changes}}


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"runs": run(noise={"nrm": 1})}, ["runs.a.noise.nrm", "unknown key", "did you mean norm?", "angle_max"]),
        ({"lexicon": {}}, ["lexicon: unknown key", "did you mean lexicons?"]),
        ({"runs": run(lexicon="smal")}, ["runs.a.lexicon", "'smal'", "allowed: small"]),
        ({"runs": run(training={"samples": "many"})}, ["runs.a.training.samples", "'many'", "integer"]),
        ({"runs": run(predictor="oracle")}, ["runs.a.predictor", "'oracle'", "decoder", "head", "retrieval"]),
        ({"mixtures": {"m1": {"multiset": [0]}}}, ["mixtures.m1", "at least one source"]),
        ({"mixtures": {"m1": {"multiset": [1, 1, 1, 1]}}}, ["mixtures.m1", "m4"]),
        ({"image_sets": {"mine": {}}}, ["image_sets.mine", "either `folder` or `source`"]),
        ({"embedders": {"bundled": {"spec": "pickle:x"}}}, ["embedders.bundled.spec", "'pickle:x'"]),
        (
            {"embedders": {"bundled": {"spec": "bundled:other"}}},
            ["embedders.bundled.spec", "no bundled embedder 'bundled:other'"],
        ),
        ({"mixtures": {"m1": {"multiset": [-1, 1]}}}, ["mixtures.m1.multiset.0", "-1"]),
        ({"runs": run(training={"learning_rate": float("inf")})}, ["runs.a.training.learning_rate", "finite"]),
        (
            {"mixtures": {"m1": {"multiset": [0, 1]}}, "runs": run(predictor="retrieval")},
            ["runs.a.mixture", "name one noun"],
        ),
        ({"runs": run(predictor="fused")}, ["runs.a.fused.parts", "needs some"]),
        (
            {
                "runs": {
                    **run(predictor="fused", fused={"parts": ["b"]}, noise={"scheme": "gap", "images": "photos"}),
                    "b": run()["a"],
                }
            },
            ["runs.a.noise.images", "words alone"],
        ),
        (
            {"runs": {**run(predictor="fused", fused={"parts": ["b", "a"]}), "b": run()["a"]}},
            ["runs.a.fused.parts", "'a'", "allowed: b"],
        ),
        (
            {
                "runs": {
                    **run(predictor="fused", fused={"parts": ["b"]}),
                    "b": run(noise={"shift": "texts", "images": "mine"})["a"],
                }
            },
            ["runs.a.fused.parts", "'b'", "noise.shift"],
        ),
        ({"annotators": ["wordnet", "wordnet"]}, ["annotators", "twice"]),
        ({"runs": {}}, ["runs"]),
        ({"runs": {"my-run": run()["a"]}}, ["runs.my-run: found 'my-run'"]),
        ({"runs": run(memory=True)}, ["runs.a: `memory` is true", "no switch"]),  # `memory: yes` would be one text
        ({"image_sets": {"mine": {"folder": ""}}}, ["image_sets.mine.folder: found ''"]),  # else all below this folder
        (
            {"runs": run(predictor="retrieval", retrieval={"temperature": "towr"})},
            ["runs.a.retrieval.temperature: found 'towr'", "a number, or 'auto' or 'tower'"],
        ),
        (
            {"check_sets": {"x": {"kind": "folder", "folder": "x", "prompts": "a photo of {}"}}},
            ["check_sets.x.prompts: found 'a photo of {}', input should be 'imagenet80' or 'imagenet7', or a valid"],
        ),
        (
            {"check_sets": {"Mine": {"kind": "folder", "folder": "x"}}},
            ["check_sets: mine and Mine would share a folder"],
        ),
    ],
)
def test_a_mistake_in_the_config_names_the_key_what_was_found_and_what_is_allowed(
    changes: dict[str, Any], parts: list[str]
) -> None:
    with pytest.raises(NounflowError) as caught:
        load_config(minimal(**changes))
    assert all(part in str(caught.value) for part in parts), str(caught.value)


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(NounflowError) as caught:
        load_config(minimal(runs=run(noise={"nrm": 1}), gallery=-1))
    assert "runs.a.noise.nrm" in str(caught.value)
    assert "gallery" in str(caught.value)


def test_a_learning_rate_that_yaml_reads_as_text_is_a_number() -> None:
    read = load_config(minimal(runs=run(training={"learning_rate": "1e-4"}))).runs["a"]
    assert isinstance(read, TrainedRun)
    assert read.training.learning_rate == 1e-4


def test_a_file_of_requests_in_the_home_folder_is_no_new_folder() -> None:
    config = load_config(minimal(captions={"llm": {"ledger": "~/l.sqlite"}, "offline_words": "~/words"}))
    assert config.captions.llm.ledger == str(Path.home() / "l.sqlite")
    assert config.captions.offline_words == str(Path.home() / "words")


def test_a_folder_in_the_home_folder_is_found() -> None:
    config = load_config(minimal(image_sets={"mine": {"folder": "~/Pictures"}}))
    assert config.image_sets["mine"].folder == str(Path.home() / "Pictures")


def test_a_named_part_set_to_null_is_taken_out() -> None:
    config = load_config(minimal(runs={**run(), "b": None}))
    assert list(config.runs) == ["a"]


def test_the_shipped_schema_is_that_of_the_models(repository: Path) -> None:
    assert (repository / "config/schema.json").read_text() == json_schema(), "run: nounflow schema > config/schema.json"


def test_the_key_tables_of_the_config_readme_are_those_of_the_models(repository: Path) -> None:
    text = (repository / "config/README.md").read_text()
    assert text.endswith(key_tables()), "write the output of `nounflow schema --markdown` below the mark"


@pytest.mark.parametrize(
    ("config", "name"),
    [
        (GenerationConfig(), "beam_k10_vnone_gp_t1_a0"),
        (GenerationConfig(method="greedy", beam_width=1, guided="none", temperature=0.5), "greedy_k1_vnone_gn_t0.5_a0"),
        (GenerationConfig(method="exact", prior="tgt", prior_scale=0.25), "exact_k10_vtgt0.25_gp_t1_a0"),
    ],
)
def test_decoding_settings_have_their_published_name(config: GenerationConfig, name: str) -> None:
    assert config.name == name


def test_a_reader_that_has_seen_enough_is_no_error(repository: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-c", "from nounflow.cli import main; main()", "schema"]
    environment = {**os.environ, "PYTHONPATH": str(repository)}
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, env=environment, text=True, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")
