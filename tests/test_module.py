"""nounflow as a module of somebody else's workflow."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

SNAKEFILE = """
configfile: "config.yaml"

module nounflow:
    snakefile:
        "{snakefile}"
    config:
        config

use rule * from nounflow as naming_*

rule mine:
    default_target: True
    input:
        "results/captions/tiny/m1.parquet",
    output:
        "mine.txt",
    shell:
        "du -b {{input}} > {{output}}"
"""


def test_another_workflow_uses_its_rules_with_a_config_of_what_differs(repository, wordnet_input, tmp_path):
    (tmp_path / "Snakefile").write_text(SNAKEFILE.format(snakefile=repository / "Snakefile"))
    (tmp_path / "config.yaml").write_text(
        "lexicons: {tiny: {max_nouns: 80}}\ncaptions: {multiset: {texts_per_noun: [8, 2, 2]}}\n"
    )
    shutil.copytree(wordnet_input, tmp_path / "results/inputs/wordnet")
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
    assert (tmp_path / "mine.txt").read_text().endswith("m1.parquet\n")
