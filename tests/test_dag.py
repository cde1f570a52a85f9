"""The jobs of the default config, and which waits for which: a change of the rules that is meant to change neither."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path


def planned(repository: Path, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """What Snakemake says of a folder without anything in it."""
    place = ["--snakefile", str(repository / "Snakefile"), "--directory", str(folder)]
    return subprocess.run(
        [sys.executable, "-m", "snakemake", *place, "--cores", "1", "--quiet", "all", *options], cwd=repository,
        capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(repository)}, check=False,
    )  # fmt: skip


def test_runs_of_ones_own_may_stand_in_the_place_of_all_others(repository: Path, tmp_path: Path) -> None:
    """What is no part of the main job asks for no run of the default embedder."""
    (tmp_path / "mine.yaml").write_text(
        "lexicons: {small: null, words: {max_nouns: 500}}\n"
        "embedders: {mine: {spec: 'rehearsal:clipa-h14'}}\n"
        "runs: {small: null, small_head: null, small_retrieval: null, small_fused: null,\n"
        "       own: {lexicon: words, embedder: mine, mixture: m3_captions}}\n"
    )
    done = planned(repository, tmp_path, "--dry-run", "--configfile", str(tmp_path / "mine.yaml"))
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_jobs_of_the_default_config_and_their_order_are_as_recorded(repository: Path, tmp_path: Path) -> None:
    """tests/fixtures/dag.txt: jobs of each rule, then how often a rule's job waits for one of another rule."""
    done = planned(repository, tmp_path, "--forceall", "--dag", "dot")
    rules = dict(re.findall(r'^\s*(\d+)\[label = "(\w+)', done.stdout, flags=re.MULTILINE))
    assert rules, done.stderr
    edges = re.findall(r"^\s*(\d+) -> (\d+)$", done.stdout, flags=re.MULTILINE)
    waiting = Counter(f"{rules[after]} <- {rules[before]}" for before, after in edges)
    found = [f"{n} {name}" for counted in (Counter(rules.values()), waiting) for name, n in sorted(counted.items())]
    assert found == (repository / "tests/fixtures/dag.txt").read_text().splitlines()
