"""nounflow as a module of somebody else's workflow."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SNAKEFILE = """
configfile: "config.yaml"

module nounflow:
    snakefile:
        "{snakefile}"
    prefix:
        "naming"
    config:
        config

use rule * from nounflow as naming_*

rule mine:
    default_target: True
    input:
        "naming/results/training_sets/bundled/tiny/m3_captions/manifest.json",
    output:
        "mine.txt",
    shell:
        "du -b {{input}} > {{output}}"
"""


def snakemake(repository: Path, folder: Path, *arguments: str) -> str:
    """What a run in a folder of its own prints; it must end well."""
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(repository)},
        capture_output=True,
        text=True,
        check=False,
    )
    output = done.stdout + done.stderr
    assert done.returncode == 0, output[-4000:]
    return output


def test_another_workflow_uses_its_rules_with_a_prefix_and_a_config_of_its_own(
    repository: Path, wordnet_input: Path, tmp_path: Path
) -> None:
    (tmp_path / "Snakefile").write_text(SNAKEFILE.format(snakefile=repository / "Snakefile"))
    (tmp_path / "config.yaml").write_text(
        "lexicons: {tiny: {max_nouns: 80}}\n"
        "captions: {multiset: {texts_per_noun: [8, 2, 2], shards: [2, 1, 1]}, offline: {captions_per_noun: 4}}\n"
    )
    shutil.copytree(wordnet_input, tmp_path / "naming/results/inputs/wordnet")
    output = snakemake(repository, tmp_path, "--cores", "2")
    assert "naming_build_nouns" in output
    assert (tmp_path / "mine.txt").read_text().endswith("manifest.json\n")
    assert not (tmp_path / "results").exists()


@pytest.mark.extra
def test_nothing_beside_the_main_job_looks_past_the_prefix(
    repository: Path, wordnet_input: Path, tmp_path: Path
) -> None:
    """A dry run of all that is beside it: paths in parameters, too, and files of the user's where the config says."""
    (tmp_path / "Snakefile").write_text(SNAKEFILE.format(snakefile=repository / "Snakefile"))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/a.png").touch()
    shutil.copy(repository / "resources/image_sets/photos.tsv", tmp_path / "tags.tsv")
    (tmp_path / "seen.txt").write_text("dog\n")
    (tmp_path / "config.yaml").write_text(
        "tags: {sets: {own: {folder: mine, labels: tags.tsv, seen: seen.txt}}}\n"
        "open_set: {tests: {photos: {known: photos, classes: seen.txt}}}\n"
        "regions: {tests: {scenes: {source: scenes}}}\n"
    )
    left = tmp_path / "naming/results"
    shutil.copytree(wordnet_input, left / "inputs/wordnet")
    (left / "open_set.json").write_text("{}")
    targets = [f"naming/results/{name}" for name in ("tags.tsv", "regions.tsv", "open_set.tsv", "report.html")]
    output = snakemake(repository, tmp_path, "--cores", "1", "--dry-run", "--printshellcmds", *targets)
    assert "--open-set naming/results/open_set.json" in output  # the report shows what is there
    assert set(re.findall(r"([\w.]*/?)results/\w", output)) == {"naming/"}
