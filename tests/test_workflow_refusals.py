"""Bad input of the real workflow: one clear message, status not 0, earlier results untouched."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import Any

import pytest
from tiny_workflow import MERGED, Project, results_of

from nounflow.store.shards import read_manifest, sealed


def failure(project: Project, *options: str) -> str:
    before = results_of(project)
    done = project.snakemake(*options, check=False)
    assert done.returncode != 0
    assert "Traceback" not in done.output
    after = results_of(project)
    assert [str(name) for name in before if after.get(name) != before[name]] == []
    assert set(after) == set(before)
    return done.output


def test_an_unknown_config_key_is_named_with_what_is_allowed(project: Project) -> None:
    project.configure(lambda config: config["runs"]["tiny"]["training"].update(learnin_rate=1))
    output = failure(project)
    assert "runs.tiny.training.learnin_rate: unknown key (did you mean learning_rate?)" in output


def test_a_missing_image_folder_is_named(project: Project) -> None:
    shutil.rmtree(project.folder / "drawn")
    assert "The image folder does not exist" in failure(project)


def test_a_folder_without_images_is_named(project: Project) -> None:
    shutil.rmtree(project.folder / "drawn")
    (project.folder / "drawn").mkdir()
    (project.folder / "drawn/readme.txt").write_text("no pictures")
    assert "The folder holds no images" in failure(project)


def test_a_missing_label_file_is_named(project: Project) -> None:
    (project.folder / "drawn.tsv").unlink()
    assert "drawn.tsv" in failure(project)


NOTHING: dict[str, Any] = {"min_weight": 1e6, "listed": False, "supplement": False, "complete_kinds": []}


def test_after_a_setting_that_failed_the_old_one_needs_no_work_and_the_failed_one_fails_again(project: Project) -> None:
    def fail(config: dict[str, Any]) -> None:
        config["lexicons"]["tiny"].update(**NOTHING)

    project.configure(fail)
    output = failure(project)
    assert "The lexicon tiny is empty" in output
    assert "min_weight (it dropped" in output
    assert "build_nouns" in project.would_run()
    project.configure(lambda config: config["lexicons"].update(tiny={"max_nouns": 80}))
    assert project.would_run() == {}


def test_a_damaged_shard_is_refused_by_name(project: Project) -> None:
    chunk = project.folder / "results/embeddings/bundled/tiny/m2/0.zarr/vectors/c/0/0"
    payload = bytearray(chunk.read_bytes())
    payload[10] ^= 1
    chunk.write_bytes(payload)
    output = failure(project, "results/models/tiny/manifest.json", "--forcerun", "train_decoder")
    assert "A shard's bytes are not those that were written" in output
    assert "m2/0.zarr" in output


def test_an_embedder_that_does_not_match_its_cache_is_refused_with_both_sides(project: Project) -> None:
    shard = project.folder / "results/embeddings/bundled/tiny/m2/0.json"
    manifest = read_manifest(shard)
    other = manifest.embedder.model_copy(update={"digest": "0" * 64, "precision": "another precision"})
    shard.write_text(sealed(manifest.model_copy(update={"embedder": other})).model_dump_json())
    output = failure(project, MERGED, "--forcerun", "merge_caches", "--rerun-triggers", "params")
    assert "another embedder" in output
    assert "another precision" in output


def test_a_full_disk_is_one_message_and_keeps_what_was_there(project: Project) -> None:
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
