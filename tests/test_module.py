"""nounflow as a module of somebody else's workflow."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

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


def test_another_workflow_uses_its_rules_with_a_prefix_and_a_config_of_its_own(
    repository: Path, wordnet_input: Path, tmp_path: Path
) -> None:
    (tmp_path / "Snakefile").write_text(SNAKEFILE.format(snakefile=repository / "Snakefile"))
    (tmp_path / "config.yaml").write_text(
        "lexicons: {tiny: {max_nouns: 80}}\n"
        "captions: {multiset: {texts_per_noun: [8, 2, 2], shards: [2, 1, 1]}, offline: {captions_per_noun: 4}}\n"
    )
    shutil.copytree(wordnet_input, tmp_path / "naming/results/inputs/wordnet")
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "2"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(repository)},
        capture_output=True,
        text=True,
        check=False,
    )
    output = done.stdout + done.stderr
    assert done.returncode == 0, output[-4000:]
    assert "naming_build_nouns" in output
    assert (tmp_path / "mine.txt").read_text().endswith("manifest.json\n")
    assert not (tmp_path / "results").exists()
