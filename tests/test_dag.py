"""The jobs of the default config, and which waits for which: a change of the rules that is meant to change neither."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path


def test_the_jobs_of_the_default_config_and_their_order_are_as_recorded(repository: Path, tmp_path: Path) -> None:
    """tests/fixtures/dag.txt: jobs of each rule, then how often a rule's job waits for one of another rule."""
    command = [
        sys.executable,
        "-m",
        "snakemake",
        "--snakefile",
        str(repository / "Snakefile"),
        "--directory",
        str(tmp_path),
    ]
    done = subprocess.run(
        [*command, "--forceall", "--dag", "dot", "--cores", "1", "--quiet"], cwd=repository, capture_output=True,
        text=True, env={**os.environ, "PYTHONPATH": str(repository)}, check=False,
    )  # fmt: skip
    rules = dict(re.findall(r'^\s*(\d+)\[label = "(\w+)', done.stdout, flags=re.MULTILINE))
    assert rules, done.stderr
    edges = re.findall(r"^\s*(\d+) -> (\d+)$", done.stdout, flags=re.MULTILINE)
    waiting = Counter(f"{rules[after]} <- {rules[before]}" for before, after in edges)
    found = [f"{n} {name}" for counted in (Counter(rules.values()), waiting) for name, n in sorted(counted.items())]
    assert found == (repository / "tests/fixtures/dag.txt").read_text().splitlines()
