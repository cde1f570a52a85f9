"""Dry runs of one project, each after an edit that is undone.

A process of its own loads Snakemake and the fingerprints of the code once, and forks for each dry run: a second
instead of four.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

RULE_LINE = re.compile(r"^(\w+)\s+\d+$", flags=re.MULTILINE)


def dry_runs(folder: Path, edits: list[dict[str, Any]], *, older: bool = False) -> list[set[str]]:
    """The set of rules that would run after each edit, in their order.

    edits: path within the project -> its text for one dry run.
    older: what was edited has a time before all results, as after `rsync -a`.
    """
    command = [sys.executable, __file__, *["older"] * older]
    environment = {**os.environ, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=folder, env=environment, input=json.dumps(edits), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return [rules_in(output) for output in json.loads(done.stdout)]


def rules_in(output: str) -> set[str]:
    """The rules of a dry run's table of jobs."""
    if "Nothing to be done" in output:
        return set()
    assert "Job stats:" in output, output[-3000:]
    table = output.split("Job stats:")[1].split("\n\n")[0]
    return set(RULE_LINE.findall(table)) - {"all", "total"}


@contextlib.contextmanager
def edited(edit: dict[str, str], older: bool) -> Iterator[None]:
    """The project with other texts in some files; then as it was, with its times."""
    kept = {path: (path.read_bytes(), path.stat()) for path in map(Path, edit)}
    try:
        for name, text in edit.items():
            Path(name).write_text(text)
            if older:
                os.utime(name, (0, 0))
        yield
    finally:
        for path, (content, status) in kept.items():
            path.write_bytes(content)
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def output_of_a_fork() -> str:
    """What Snakemake says in a dry run."""
    from snakemake.cli import main

    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        os.dup2(writer, 1)
        os.dup2(writer, 2)
        os.close(reader)
        sys.argv = ["snakemake", "--dry-run", "--cores", "2", "--configfile", "tiny.yaml"]
        status: str | int = 1
        try:
            main()
        except SystemExit as ending:
            status = ending.code or 0
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(int(bool(status)))
    os.close(writer)
    with open(reader, encoding="utf-8") as stream:
        output = stream.read()
    os.waitpid(child, 0)
    return output


def _load() -> None:
    import snakemake.cli  # noqa: F401

    from nounflow.fingerprint import code_fingerprint  # it imports nothing of the project, so no fork finds old code

    for script in Path("workflow_scripts").glob("*.py"):
        code_fingerprint(script.resolve())


if __name__ == "__main__":
    _load()
    outputs = []
    for each in json.loads(sys.stdin.read()):
        with edited(each, "older" in sys.argv):
            outputs.append(output_of_a_fork())
    print(json.dumps(outputs))
