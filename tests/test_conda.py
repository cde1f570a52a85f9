"""`--sdm conda`: jobs run in the environment of environment.yml, which has all but nounflow itself.

No conda is at hand where this runs: a stand-in answers what Snakemake asks it, and makes an environment in which the
packages of this one are found, and no installed nounflow.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path

import pytest
from tiny_workflow import build

CONDA = """#!/bin/bash
case "$*" in
  "info --json") echo '{{"conda_prefix": "{base}", "platform": "linux-64"}}' ;;
  clean*) ;;
  --version) echo "conda 25.1.0" ;;
  config*) echo '{{"get": {{"channel_priority": "strict"}}}}' ;;
  env\\ create*)
    while [ $# -gt 0 ]; do
      case "$1" in --file) file=$2 ;; --prefix) env=$2 ;; esac; shift
    done
    grep -q '^name: nounflow' "$file"
    {python} -m venv --without-pip "$env"
    echo {packages} > "$(echo "$env"/lib/python*/site-packages)/packages.pth"
    ;;
  *) echo "conda $*: not expected" >&2; exit 1 ;;
esac
"""
ACTIVATE = """export PATH="$1/bin:$PATH"
python -c "import sys; print(sys.prefix)" >> {base}/used
"""


@pytest.mark.extra
def test_the_workflow_runs_in_environments_of_conda(
    tmp_path: Path, repository: Path, wordnet_input: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = tmp_path / "conda"
    (base / "bin").mkdir(parents=True)
    conda = base / "bin/conda"
    conda.write_text(CONDA.format(base=base, python=sys.executable, packages=sysconfig.get_paths()["purelib"]))
    conda.chmod(0o755)
    (base / "bin/activate").write_text(ACTIVATE.format(base=base))
    monkeypatch.setenv("PATH", str(base / "bin"), prepend=os.pathsep)
    project = build(tmp_path / "project", repository, wordnet_input)
    target = "results/captions/tiny/m1.parquet"
    project.snakemake(target, "--sdm", "conda")
    assert (project.folder / target).is_file()
    environments = {Path(line).parent for line in (base / "used").read_text().splitlines()}
    assert environments == {project.folder / ".snakemake/conda"}
