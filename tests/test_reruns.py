"""What a change reruns: edits of code and of settings against the exact set of rules, by real dry runs."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from dry_runs import dry_runs
from tiny_workflow import Project

from nounflow.workflow.job_setup import computes_on

# What follows from a rule, in the tiny workflow.
FOLLOWS = {
    "build_nouns": {"compose_captions", "generate_captions", "embed_texts", "merge_caches"},
    "compose_captions": {"embed_texts"},
    "generate_captions": {"embed_texts"},
    "embed_texts": {"merge_caches"},
    "merge_caches": {"train_decoder", "train_head", "index_retrieval"},
    "measure_gap": {"train_decoder"},
    "train_decoder": {"fit_fused", "predict"},
    "train_head": {"predict"},
    "index_retrieval": {"fit_fused", "predict"},
    "fit_fused": {"predict"},
    "embed_images": {"predict"},
    "predict": {"annotate"},
    "annotate": {"score"},
    "score": {"report"},
    "report": set(),
}


def following(*rules: str) -> set[str]:
    """The rules and all that follows from them."""
    found = set(rules)
    while more := {after for rule in found for after in FOLLOWS[rule]} - found:
        found |= more
    return found


NOTHING: set[str] = set()
TRAINING = following("train_decoder", "train_head")
PREDICTING = following("predict")
EMBEDDING = following("embed_texts", "embed_images")
EVERYTHING = following("build_nouns", "embed_images")

# A constant added to a file of nounflow/ -> all rules that run again.
CODE = {
    # of each stage
    "inputs/wordnet.py": NOTHING,  # what has been fetched stays
    "nouns/lexicon.py": following("build_nouns"),
    "captions/templates.py": following("compose_captions"),
    "captions/offline.py": following("generate_captions") - {"index_retrieval"},  # its mixture has none of these texts
    "embedders/bundled.py": EMBEDDING,
    "embedders/openclip.py": NOTHING,  # no run of this config uses it
    "embedders/text_path.py": NOTHING,  # nor a model of another library
    "embedders/image_files.py": following("embed_images"),
    "store/merging.py": following("merge_caches"),
    "training/loop.py": TRAINING,
    "training/loss.py": TRAINING,
    "training/validation.py": TRAINING,
    "training/noise.py": TRAINING | following("index_retrieval"),
    "decoder/model.py": following("train_decoder"),
    "decoder/generation.py": following("fit_fused"),
    "predictors/head.py": following("train_head") - {"fit_fused"},
    "predictors/retrieval_training.py": following("index_retrieval"),
    "predictors/fused.py": following("fit_fused"),
    "annotation/wordnet.py": following("annotate"),
    "scoring/intervals.py": following("score"),
    "report/page.py": following("report"),
    "report/templates/report.css": following("report"),
    # of the ground
    "files.py": EVERYTHING,
    "text.py": following("build_nouns"),
    "wordnet.py": following("build_nouns"),
    "images.py": following("embed_images"),
    "device.py": EMBEDDING,
    "training/synonyms.py": TRAINING,
    "schemas/predictions.py": PREDICTING,
    "schemas/annotations.py": following("annotate"),
    "config/base.py": EVERYTHING,
    "config/runs/head.py": following("train_head") - {"fit_fused"},
    "config/decoder.py": following("train_decoder"),
    "config/generation.py": following("fit_fused"),
    "config/experiment.py": NOTHING,  # what it checks reaches a stage as settings
    "workflow/job_setup.py": NOTHING,
    "llm/chat.py": NOTHING,  # nothing asks a language model here
    "errors.py": NOTHING,
    "progress.py": NOTHING,
    "job_log.py": NOTHING,
    "commandline.py": NOTHING,
    "training/tracking.py": NOTHING,
}

# (file of nounflow/, what stands there, what is put there instead): words for people, which shape no byte.
WORDS = [
    ("config/decoder.py", 'description="attention heads"', 'description="heads of attention"'),
    ("training/noise.py", '"""Noise on', '"""Some noise on'),
    ("job_log.py", "def header(", "def header_of_old():\n    return 'another field'\n\n\ndef header("),
    (
        "errors.py",
        "class NounflowError(Exception):",
        "class AnError(Exception):\n    ...\n\n\nclass NounflowError(Exception):",
    ),
    ("nouns/lexicon.py", "\n\n\ndef ", "\n\n\n# a comment\n\n\ndef "),
]


def put(value: object, *keys: str) -> Callable[..., None]:
    """A change of a config: a value at a place."""

    def change(config: dict[str, Any]) -> None:
        for key in keys[:-1]:
            config = config.setdefault(key, {})
        config[keys[-1]] = value

    return change


# A change of the config -> all rules that run again.
SETTINGS = [
    (put(0.001, "runs", "tiny", "training", "learning_rate"), following("train_decoder")),
    (put(7, "runs", "tiny", "seed"), following("train_decoder")),
    (put(3, "runs", "tiny", "training", "checkpoint_steps"), NOTHING),
    (put(["tensorboard"], "runs", "tiny", "training", "trackers"), NOTHING),
    (put({"beam_width": 4}, "runs", "tiny", "generation"), PREDICTING),
    (put({"scheme": "gap", "images": "drawn"}, "runs", "tiny", "noise"), following("measure_gap")),
    (put(8, "embedders", "bundled", "image_batch"), NOTHING),
    (put("int8", "embedders", "bundled", "dtype"), following("embed_texts")),
    (put(3, "captions", "offline", "captions_per_noun"), following("generate_captions") - {"index_retrieval"}),
    (put([9, 2, 2], "captions", "multiset", "texts_per_noun"), following("compose_captions")),
    (put([2, 2, 1], "captions", "multiset", "shards"), following("embed_texts") - {"index_retrieval"}),
    (put(3, "threads"), TRAINING),
    (put("cpu", "device"), NOTHING if computes_on("auto") == "cpu" else EMBEDDING),
    (put(29, "scoring", "coarse_from"), following("score")),
    (put(3, "gallery"), following("report")),
]


def differing(found: dict[str, set[str]], expected: dict[str, set[str]]) -> dict[str, tuple[set[str], set[str]]]:
    """Edit -> (rules that run again and should not, rules that should and do not)."""
    return {
        edit: (found[edit] - rules, rules - found[edit]) for edit, rules in expected.items() if found[edit] != rules
    }


def test_an_edit_of_code_reruns_exactly_what_depends_on_it(project: Project) -> None:
    constants = {".py": "\n\nA_NEW_CONSTANT = 1\n", ".css": "\n.new { color: red; }\n"}
    files = {name: project.folder / "nounflow" / name for name in CODE}
    edits = [{str(path): path.read_text() + constants[path.suffix]} for path in files.values()]
    wrong = differing(dict(zip(files, dry_runs(project.folder, edits), strict=True)), CODE)
    assert wrong == {}, wrong


def test_an_edit_of_words_for_people_reruns_nothing(project: Project) -> None:
    edit = {}
    for name, old, new in WORDS:
        path = project.folder / "nounflow" / name
        assert old in path.read_text()
        edit[str(path)] = path.read_text().replace(old, new, 1)
    for path in [*(project.folder / "nounflow").rglob("*.py"), *(project.folder / "workflow_scripts").glob("*.py")]:
        edit[str(path)] = edit.get(str(path), path.read_text()) + "\n# a comment\n"
    assert dry_runs(project.folder, [edit]) == [set()]


def test_a_setting_reruns_exactly_what_it_shapes(project: Project) -> None:
    path = project.folder / "tiny.yaml"
    edits = []
    for change, _rules in SETTINGS:
        config = yaml.safe_load(path.read_text())
        change(config)
        edits.append({str(path): yaml.safe_dump(config)})
    expected = {edit[str(path)]: rules for edit, (_change, rules) in zip(edits, SETTINGS, strict=True)}
    wrong = differing(dict(zip(expected, dry_runs(project.folder, edits), strict=True)), expected)
    assert wrong == {}, wrong


def test_edits_of_resources_and_labels_rerun_what_reads_them(project: Project) -> None:
    templates, labels = project.folder / "resources/templates/singular.tsv", project.folder / "drawn.tsv"
    edits = [
        {str(templates): templates.read_text() + "new\t1\ta picture of {a_noun} indeed.\t0\n"},
        {str(labels): labels.read_text() + "empty.png\tcat\n"},
    ]
    for older in (False, True):
        found = dry_runs(project.folder, edits, older=older)
        assert found == [following("compose_captions"), following("annotate")]


def test_two_numbers_of_a_rule_cannot_change_places_unseen(repository: Path) -> None:
    """Snakemake compares a job's parameters as a set, without their names: at most one is a bare number."""
    bare = re.compile(r"^        \w+=[\w.]+\.(?:seed|count|gallery|coarse_from|threads|shards),", flags=re.MULTILINE)
    rules = "\n".join(path.read_text() for path in (repository / "rules").glob("*.smk"))
    several = [rule.partition(":")[0] for rule in re.split(r"^ *rule ", rules, flags=re.MULTILINE)[1:]
               if len(bare.findall(rule)) > 1]  # fmt: skip
    assert bare.search(rules)
    assert several == []
